"""Nobody can keep files from being fetched, or fill the cache with one file's names."""

from __future__ import annotations

from proxy.cache.candidates import MAX_CANDIDATES, MAX_WAIT_SECONDS, Candidates
from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import FileKey
from tests.cache.test_disk_store import stored

QUIET_SECONDS = 3.0


def key(target: bytes, authority: bytes = b"lab.example.org") -> FileKey:
    return FileKey(authority, target)


def candidates(*kept: FileKey) -> Candidates:
    files = MemoryStore(2**20)
    for name in kept:
        files.add(stored(name))
    return Candidates(files, QUIET_SECONDS)


def test_files_are_fetched_after_the_last_new_one() -> None:
    it = candidates()
    assert it.add(key(b"/1"), 100.0)
    assert it.add(key(b"/2"), 102.0)
    assert it.wait_seconds(102.0) == 3.0
    assert it.wait_seconds(105.0) == 0.0
    assert it.wait_seconds(106.0) == 0.0
    assert [it.take(), it.take(), len(it)] == [key(b"/1"), key(b"/2"), 0]


def test_new_files_all_the_time_do_not_stop_the_fetches() -> None:
    it = candidates()
    for second in range(32):
        assert it.add(key(b"/%d" % second), 100.0 + second)
    assert it.wait_seconds(99.0 + MAX_WAIT_SECONDS) == 1.0
    assert it.wait_seconds(100.0 + MAX_WAIT_SECONDS) == 0.0
    it.clear()
    assert it.add(key(b"/1"), 200.0)
    assert it.wait_seconds(200.0) == QUIET_SECONDS, "the next ones wait as the first did"


def test_made_up_names_keep_nothing_out() -> None:
    hashed = b"/main.efd36b46f3b45eb8.js"
    it = candidates()
    for target in (b"/new?v=1", b"/new?v=2", b"/new", hashed + b"?v=1", hashed + b"?v=a1"):
        assert it.add(key(target), 0.0)
    assert it.add(key(hashed + b"?v=efd36b46f3b45eb8"), 0.0)
    assert it.add(key(b"/new?v=3", b"other.example.org"), 0.0)
    assert [it.take().target for _ in range(len(it))] == [
        b"/new?v=2",
        b"/new",
        hashed + b"?v=a1",
        hashed + b"?v=efd36b46f3b45eb8",
        b"/new?v=3",
    ]


def test_one_version_that_the_content_has_proven_is_enough() -> None:
    files = MemoryStore(2**20)
    files.add(stored(key(b"/kept?v=1")))
    it = Candidates(files, QUIET_SECONDS)
    assert not it.add(key(b"/kept?v=2"), 0.0)
    assert it.add(key(b"/kept"), 0.0)
    files.remove(key(b"/kept?v=1"))
    assert it.add(key(b"/kept?v=2"), 0.0)


def test_there_is_an_end_of_candidates() -> None:
    it = candidates()
    assert all(it.add(key(b"/%d" % number), 0.0) for number in range(MAX_CANDIDATES))
    assert not it.add(key(b"/another"), 0.0)

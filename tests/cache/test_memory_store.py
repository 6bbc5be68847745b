"""The bound of the memory, and which files go first."""

from __future__ import annotations

from proxy.cache.memory_store import OVERHEAD_BYTES, MemoryStore
from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.rules.caching import Validators

SIZE = 10_000
ROOM_FOR_THREE = 3 * (SIZE + OVERHEAD_BYTES)


def stored(target: bytes, content: bytes = bytes(SIZE), authority: bytes = b"a") -> StoredFile:
    validators = Validators(b"", b"", b"%d" % len(content), b"text/css", b"")
    key = FileKey(authority, target)
    best = coded_content(b"", content)
    return StoredFile(key, (), validators, target.decode(), best, compression_tried=False)


def targets(files: list[StoredFile]) -> list[bytes]:
    return [file.key.target for file in files]


def test_the_least_recently_used_one_goes() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    for target in (b"1", b"2", b"3"):
        assert store.add(stored(target)) == []
    assert store.get(FileKey(b"a", b"1")) is not None
    assert targets(store.add(stored(b"4"))) == [b"2"]
    assert set(store.targets) == {b"1", b"3", b"4"}
    assert store.size_bytes == ROOM_FOR_THREE


def test_one_that_does_not_fit_is_not_kept() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    store.add(stored(b"1"))
    assert b"2" in targets(store.add(stored(b"2", bytes(2 * ROOM_FOR_THREE))))
    assert store.size_bytes <= ROOM_FOR_THREE


def test_another_version_takes_the_place_of_the_first() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    store.add(stored(b"1"))
    second = stored(b"1", b"x")
    store.add(second)
    assert store.get(second.key) is second
    assert (len(store), store.size_bytes) == (1, 1 + OVERHEAD_BYTES)


def test_a_file_in_two_codings_takes_the_room_of_both() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    for target in (b"1", b"2"):
        store.add(stored(target))
    file = store.get(FileKey(b"a", b"1"))
    assert file is not None
    half = coded_content(b"gzip", bytes(SIZE // 2))
    for _ in range(2):
        store.add_coding(file, half)
        assert store.size_bytes == 2 * (SIZE + OVERHEAD_BYTES) + SIZE // 2
    assert file.codings[b"gzip"] is half
    store.remove(file.key)
    assert store.size_bytes == SIZE + OVERHEAD_BYTES


def test_a_second_coding_takes_the_room_of_no_file() -> None:
    store = MemoryStore(ROOM_FOR_THREE + 10)
    kept = [stored(b"%d" % number) for number in range(3)]
    for file in kept:
        assert store.add(file) == []
    store.add_coding(kept[0], coded_content(b"gzip", bytes(11)))
    store.add_coding(kept[1], coded_content(b"gzip", bytes(10)))
    assert [set(file.codings) for file in kept] == [{b""}, {b"", b"gzip"}, {b""}]
    assert (len(store), store.size_bytes) == (3, ROOM_FOR_THREE + 10)


def test_second_codings_go_before_any_file() -> None:
    """Those of the least recently used files at first."""
    store = MemoryStore(ROOM_FOR_THREE)
    kept = [stored(b"%d" % number) for number in range(2)]
    for file in kept:
        store.add(file)
        store.add_coding(file, coded_content(b"gzip", bytes(SIZE // 2)))
    assert store.add(stored(b"2", bytes(SIZE // 2))) == []
    assert [set(file.codings) for file in kept] == [{b""}, {b"", b"gzip"}]
    assert store.size_bytes == ROOM_FOR_THREE
    assert targets(store.add(stored(b"3"))) == [b"0"]
    assert set(kept[1].codings) == {b""}
    assert store.size_bytes == ROOM_FOR_THREE - SIZE // 2


def test_a_file_that_is_gone_gets_no_second_coding() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    gone = stored(b"1")
    for another in (False, True):
        if another:
            store.add(stored(b"1"))
        size_bytes = store.size_bytes
        store.add_coding(gone, coded_content(b"gzip", b"x"))
        assert (set(gone.codings), store.size_bytes) == ({b""}, size_bytes)
        assert not store.holds(gone)


def test_a_target_stays_as_long_as_one_authority_has_it() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    for authority in (b"a", b"b"):
        store.add(stored(b"1", authority=authority))
    store.remove(FileKey(b"a", b"1"))
    assert b"1" in store.targets
    store.remove(FileKey(b"b", b"1"))
    store.remove(FileKey(b"b", b"1"))
    assert (b"1" in store.targets, store.size_bytes, len(store)) == (False, 0, 0)


def test_the_same_content_under_another_name_is_found() -> None:
    store = MemoryStore(ROOM_FOR_THREE)
    store.add(file := stored(b"1"))
    assert store.with_content("1") is file
    assert store.with_content("2") is None
    store.clear()
    assert (store.with_content("1"), len(store), store.size_bytes) == (None, 0, 0)
    assert not store.targets

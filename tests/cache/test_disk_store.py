"""What is read from the disk is whole, and as much as there is room for."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path
from shutil import rmtree
from threading import Event, Thread

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.cache.disk_store import (
    FORMAT,
    GENERATION_FILE,
    MAX_WRITE_SECONDS,
    UNUSED_SECONDS,
    DiskStore,
    _serialized,
    remove_unused,
)
from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.rules.caching import Validators
from proxy.runtime.secret_files import write_beside

KEY = FileKey(b"lab.example.org", b"/static/\xff.js?v=1")
FIRST = ""
"""The generation before the first drop."""


def stored(key: FileKey = KEY, content: bytes = b"compressed\n\x00") -> StoredFile:
    validators = Validators(b"day", b'"\xe4"', b"9", b"text/css", b"immutable")
    best = coded_content(b"br", content)
    fields = ((b"Server", b"x\xe4"),)
    return StoredFile(key, fields, validators, "abcd", best, compression_tried=True)


def essence(file: StoredFile) -> tuple[object, ...]:
    what = (file.key, file.fields, file.validators, file.digest)
    return (*what, file.best, file.compression_tried)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "a" / "b", 1000)
    assert store.read_all() == []
    store.write(stored(), FIRST)
    [read] = DiskStore(tmp_path / "a" / "b", 1000).read_all()
    assert essence(read) == essence(stored())
    assert read.period is None, "nobody has checked it yet"
    one = store.read(KEY)
    assert one is not None
    assert essence(one) == essence(stored())
    assert store.read(FileKey(b"other", KEY.target)) is None
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    [path] = (tmp_path / "a" / "b").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_octets_of_the_same_content_have_another_etag() -> None:
    """A strong one is of the octets that are sent, and encoders have settings."""
    window_20, window_22 = (
        brotli.compress(random.Random(1).randbytes(99) * 99, lgwin=lgwin) for lgwin in (20, 22)
    )
    assert window_20 != window_22
    one, other = stored(content=window_20), stored(content=window_22)
    assert one.digest == other.digest
    assert one.best.etag != other.best.etag
    assert one.best.etag == stored(content=window_20).best.etag


def test_a_drop_that_is_late_does_not_bring_the_folder_back(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "kept", 1000)
    store.write(stored(), "")
    store.end()
    store.drop("")
    assert not (tmp_path / "kept").exists()


def test_files_are_removed(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, 1000)
    others = [stored(FileKey(b"a", target)) for target in (b"1", b"2", b"3")]
    for file in others:
        store.write(file, FIRST)
    store.remove(others[0].key)
    store.remove(others[0].key)
    assert {file.key for file in store.read_all()} == {others[1].key, others[2].key}
    store.drop(store.generation())
    assert store.read_all() == []
    assert [path.name for path in tmp_path.iterdir()] == [GENERATION_FILE]


def test_what_another_worker_writes_is_left_alone(tmp_path: Path) -> None:
    """Unless it has written it for so long that it must have ended before it was done."""
    temporary = write_beside(tmp_path / "0f", b"a part")
    store = DiskStore(tmp_path, 1000)
    assert store.read_all() == []
    store.drop(FIRST)
    assert temporary.exists()
    now = temporary.stat().st_mtime
    os.utime(temporary, (now - MAX_WRITE_SECONDS - 1,) * 2)
    assert store.read_all() == []
    assert not temporary.exists()


def test_files_are_found_while_another_worker_writes(tmp_path: Path) -> None:
    """One that gets its name, or goes, between two looks of ours hides no other."""
    store, over = DiskStore(tmp_path, 100_000), Event()
    store.write(stored(), FIRST)

    def write() -> None:
        while not over.is_set():
            written = [tmp_path / f"{number:x}" for number in range(20)]
            for path in written:
                path.write_bytes(b"")
            for path in written:
                path.unlink()

    writer = Thread(target=write)
    writer.start()
    try:
        found = [store._path(KEY) in store._paths() for _ in range(500)]
    finally:
        over.set()
        writer.join()
    assert all(found)


def test_a_file_of_a_dropped_jupyter_does_not_come_back(tmp_path: Path) -> None:
    """Another worker was still writing it: after it had asked, before or after its last look."""
    one, other = DiskStore(tmp_path, 1000), DiskStore(tmp_path, 1000)
    asked_during = other.generation()
    other.write(stored(), asked_during)
    now = one.drop(FIRST)
    assert now != FIRST
    other.write(stored(), asked_during)
    assert other.read(KEY) is None
    path = other._path(KEY)
    path.write_bytes(_serialized(stored(), asked_during))
    assert other.read(KEY) is not None, "its content is right for who knows the digest"
    assert DiskStore(tmp_path, 1000).read_all() == []
    assert not path.exists()
    other.write(stored(), other.generation())
    assert len(DiskStore(tmp_path, 1000).read_all()) == 1


def test_who_notices_later_leaves_what_is_there_since(tmp_path: Path) -> None:
    one, other = DiskStore(tmp_path, 1000), DiskStore(tmp_path, 1000)
    one.write(stored(), FIRST)
    second = one.drop(FIRST)
    one.write(stored(), second)
    assert other.drop(FIRST) == second
    assert one.read(KEY) is not None
    assert other.drop(second) not in (FIRST, second)
    assert one.read(KEY) is None


def test_a_whole_file_without_its_name_is_none(tmp_path: Path) -> None:
    """Who wrote it has ended just before: nobody would ever remove it by its key."""
    store = DiskStore(tmp_path, 1000)
    store.write(stored(), FIRST)
    path = store._path(KEY)
    temporary = path.rename(path.with_suffix(".0123abcd"))
    long_ago = temporary.stat().st_mtime - MAX_WRITE_SECONDS - 1
    os.utime(temporary, (long_ago, long_ago))
    assert store.read_all() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data[:-1] + b"x", id="another octet in the content"),
        pytest.param(lambda data: data.replace(b'"br"', b'"zz"'), id="another octet in the head"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\n\n\n", id="lines"),
    ],
)
def test_what_is_not_whole_is_removed(tmp_path: Path, spoil: object) -> None:
    store = DiskStore(tmp_path, 1000)
    store.write(stored(), FIRST)
    [path] = tmp_path.iterdir()
    assert callable(spoil)
    path.write_bytes(spoil(path.read_bytes()))
    assert store.read(KEY) is None
    assert store.read_all() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "about",
    [
        pytest.param("[]", id="a list"),
        pytest.param("1", id="a number"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param(json.dumps({"format": FORMAT}), id="nothing else"),
        pytest.param({"format": FORMAT - 1}, id="another format"),
        pytest.param({"key": [1, 2]}, id="numbers in the key"),
        pytest.param({"key": ["a"]}, id="half a key"),
        pytest.param({"key": None}, id="no key"),
        pytest.param({"fields": [["a"]]}, id="half a field"),
        pytest.param({"fields": [[1, 2]]}, id="numbers in a field"),
        pytest.param({"fields": 1}, id="a number for fields"),
        pytest.param({"validators": [1, 2, 3, 4, 5]}, id="numbers in the validators"),
        pytest.param({"validators": ["", "", "x", "", ""]}, id="no length"),
        pytest.param({"digest": 1}, id="a number for a digest"),
        pytest.param({"digest": "x"}, id="no digest"),
        pytest.param({"coding": 1}, id="a number for a coding"),
        pytest.param({"coding": {}}, id="an object for a coding"),
        pytest.param({"coding": "\xe4"}, id="no coding"),
    ],
)
def test_what_has_other_types_is_removed(tmp_path: Path, about: str | dict[str, object]) -> None:
    store = DiskStore(tmp_path, 1000)
    store.write(stored(), FIRST)
    [path] = tmp_path.iterdir()
    _, line, content = path.read_bytes().split(b"\n", 2)
    spoilt = about if isinstance(about, str) else json.dumps(json.loads(line) | about)
    data = spoilt.encode() + b"\n" + content
    path.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    assert store.read(KEY) is None
    assert store.read_all() == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_beyond_the_bound_is_removed(tmp_path: Path) -> None:
    """The oldest ones go."""
    store = DiskStore(tmp_path, 250)
    for number, target in enumerate((b"old", b"new", b"newest")):
        file = stored(FileKey(b"a", target), bytes(100))
        store.write(file, FIRST)
        os.utime(store._path(file.key), (number, number))
    assert [file.key.target for file in store.read_all()] == [b"newest", b"new"]
    assert len(list(tmp_path.iterdir())) == 2


def test_links_are_not_followed(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "kept", 1000)
    store.write(stored(), FIRST)
    [path] = (tmp_path / "kept").iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.read_all() == []


def test_a_disk_that_is_full_or_closed_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    caplog.set_level("INFO")
    store = DiskStore(tmp_path / "file" / "below", 1000)
    for _ in range(2):
        store.write(stored(), FIRST)
    assert caplog.text.count("cannot keep static files on disk") == 1
    (tmp_path / "file").unlink()
    store.write(stored(), FIRST)
    assert len(store.read_all()) == 1
    rmtree(tmp_path / "file")
    (tmp_path / "file").write_text("")
    store.write(stored(), FIRST)
    assert caplog.text.count("cannot keep static files on disk") == 2, "it is another failure"


def test_an_ended_store_leaves_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    """Also what a thread is still about to write."""
    folder = tmp_path / "route"
    store = DiskStore(folder, 1000)
    store.write(stored(), FIRST)
    store.end()
    store.write(stored(), FIRST)
    assert list(tmp_path.iterdir()) == []
    store.end()


def test_what_is_not_labgates_stays_with_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "route"
    (folder / "somebody's").mkdir(parents=True)
    DiskStore(folder, 1000).end()
    assert (folder / "somebody's").is_dir()


def test_folders_of_no_route_are_removed_once_nobody_has_written_there_for_long(
    tmp_path: Path,
) -> None:
    names = ("used", "left", "of another labgate")
    for name in names:
        DiskStore(tmp_path / name, 1000).write(stored(), FIRST)
    (tmp_path / "link").symlink_to(tmp_path / "used")
    now = (tmp_path / "used").stat().st_mtime + UNUSED_SECONDS + 60
    os.utime(tmp_path / names[2], (now, now))
    remove_unused(tmp_path, [tmp_path / "used", None], now)
    assert {folder.name for folder in tmp_path.iterdir()} == {"used", names[2], "link"}
    assert DiskStore(tmp_path / "used", 1000).read(KEY) is not None
    remove_unused(tmp_path / "none", [], now)


def test_a_folder_that_is_read_is_in_use(tmp_path: Path) -> None:
    """By another labgate, whose Jupyter stays the same for longer than that."""
    folder = tmp_path / "of another labgate"
    store = DiskStore(folder, 1000)
    store.write(stored(), FIRST)
    now = folder.stat().st_mtime
    os.utime(folder, (now - UNUSED_SECONDS - 60,) * 2)
    store.read_all()
    remove_unused(tmp_path, [], now)
    assert store.read(KEY) is not None

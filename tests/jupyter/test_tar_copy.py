from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import IO

import pytest

from proxy.jupyter.tar_copy import copy_tree, differing_files, is_below, read_tree


def nothing(_count: int) -> None:
    """Nobody wants to know how far it got."""


def pack(folder: Path) -> bytes:
    """As the engine does: the root is ``./``, two empty blocks are the end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, ".")
        end = tar.offset
    return buffer.getvalue()[:end] + bytes(1024)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "mounted").write_text("elsewhere")
    (folder / "workshop").write_text("x")
    (folder / "book").write_bytes(b"book" * 100_000)
    (folder / "other name").hardlink_to(folder / "book")
    (folder / "link").symlink_to("../../outside")
    (folder / ("n" * 255)).write_text("long")
    return folder


def copied(folder: Path, mounted: frozenset[str] = frozenset()) -> tuple[bytes, dict[str, bytes]]:
    sink = io.BytesIO()
    records = copy_tree(io.BytesIO(pack(folder)), sink, "home/ada", mounted, nothing)
    return sink.getvalue(), dict(records)


def test_a_copy_has_another_root_and_the_same_files(folder: Path) -> None:
    data, records = copied(folder)
    assert records == read_tree(io.BytesIO(pack(folder)), nothing)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        assert "home/ada" in names
        assert all(name == "home/ada" or name.startswith("home/ada/") for name in names)
        for name in ("home/ada/book", "home/ada/other name"):
            file = tar.extractfile(name)
            assert file is not None
            assert file.read() == b"book" * 100_000
        assert tar.getmember("home/ada/link").linkname == "../../outside"


def test_what_is_mounted_is_left_out_but_for_its_folder(folder: Path) -> None:
    data, records = copied(folder, frozenset(("work", "workshop")))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = set(tar.getnames())
    assert "home/ada/work" in names
    assert names.isdisjoint({"home/ada/work/mounted", "home/ada/workshop"})
    assert {"work", "book"} <= records.keys()
    assert records.keys().isdisjoint({"work/mounted", "workshop"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: (f / "book").write_bytes(b"b00k" * 100_000), "book, other name"),
        (lambda f: (f / "book").unlink(), "book"),
        (lambda f: (f / "workshop").chmod(0o600), "workshop"),
        (lambda f: (f / "link").unlink() or (f / "link").symlink_to("x"), "link"),
        (lambda f: (f / "more").write_text("is fine"), ""),
    ],
)
def test_what_is_missing(folder: Path, change: object, expected: str) -> None:
    _, wanted = copied(folder)
    assert callable(change)
    change(folder)
    assert differing_files(wanted, read_tree(io.BytesIO(pack(folder)), nothing)) == expected


def test_only_some_are_named() -> None:
    wanted = {f"{n}\n": b"" for n in range(9)}
    assert differing_files(wanted, {}) == r"0\n, 1\n, 2\n and 6 more"


@pytest.mark.parametrize("more", [b"", b'{"message":"no such device"}\n', bytes(512)])
def test_a_stream_that_broke_off_is_none(folder: Path, more: bytes) -> None:
    """The engine ends a failed stream like a whole one, which tarfile often does not notice."""
    whole = pack(folder)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        between = [member.offset for member in tar.getmembers()]
    for cut in (*between, *(offset + 700 for offset in between), len(whole) - 1024):
        with pytest.raises(tarfile.ReadError):
            read_tree(io.BytesIO(whole[:cut] + more), nothing)


class Full(io.RawIOBase):
    def write(self, _data: object) -> int:
        raise BrokenPipeError


def test_who_takes_nothing_ends_the_copy(folder: Path) -> None:
    sink: IO[bytes] = Full()  # type: ignore[assignment]
    with pytest.raises(BrokenPipeError):
        copy_tree(io.BytesIO(pack(folder)), sink, "x", frozenset(), nothing)


def test_below() -> None:
    assert is_below("a/b", frozenset(("a",)))
    assert not is_below("ab", frozenset(("a",)))
    assert not is_below("a", frozenset(("a",)))

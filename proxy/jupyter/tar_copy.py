"""Reads and copies tar streams, and records a digest of every file for comparison.

Only one record a file is held in memory, and the current chunk of the stream.
"""

from __future__ import annotations

import copy
import hashlib
import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Protocol, cast

CHUNK_BYTES = 1 << 20
MAX_NAMED_FILES = 3
END_OF_ARCHIVE = bytes(1024)
"""Two empty blocks end a tar archive (POSIX pax, ustar interchange format)."""

_RENAMED = frozenset(("path", "linkpath"))


class ByteSource(Protocol):
    """A stream to read from; ``read`` returns nothing at its end."""

    def read(self, size: int, /) -> bytes:
        """The next octets, at most ``size``."""


Records = Mapping[str, bytes]
"""By path below the root (empty for the root itself), a digest of everything that a copy must
preserve: type, mode, owner, group, content, link target, device number."""

OnBytes = Callable[[int], None]
"""Called with the number of octets that were read, including those of skipped files."""


def read_tree(source: ByteSource, on_bytes: OnBytes) -> Records:
    """The records of a tar stream whose root is ``./``, as of the Engine API.

    Raises:
        tarfile.TarError: The stream is malformed or truncated.
    """
    records: dict[str, bytes] = {}
    for tar, member in _members(source, on_bytes):
        content = _Content(tar.extractfile(member) if member.isreg() else None)
        while content.read(CHUNK_BYTES):
            pass
        records[_relative(member.name)] = _record(member, content, records)
    return records


def copy_tree(
    source: ByteSource, sink: IO[bytes], into: str, mounted: frozenset[str], on_bytes: OnBytes
) -> Records:
    """Copy a tar stream to another root; returns the records of the copied files.

    Args:
        source: A tar stream whose root is ``./``.
        sink: Receives a tar stream whose root is ``into``.
        into: A path without a slash at either end.
        mounted: Mount points below the root: they are copied, but not their content.
        on_bytes: Called with the progress.

    Raises:
        tarfile.TarError: The stream is malformed or truncated.
    """
    records: dict[str, bytes] = {}
    with tarfile.open(
        fileobj=sink, mode="w|", bufsize=CHUNK_BYTES, format=tarfile.PAX_FORMAT
    ) as out:
        for tar, member in _members(source, on_bytes):
            name = _relative(member.name)
            if is_below(name, mounted) or (name in mounted and not member.isdir()):
                continue
            content = _Content(tar.extractfile(member) if member.isreg() else None)
            out.addfile(_relocated(member, name, into), cast("IO[bytes]", content))
            out.members.clear()  # type: ignore[attr-defined] # one for every file
            records[name] = _record(member, content, records)
    return records


def differing_files(wanted: Records, found: Records) -> str:
    """Name the wanted files that are missing or differ; empty if there are none."""
    wrong = sorted(name for name, record in wanted.items() if found.get(name) != record)
    if not wrong:
        return ""
    named = ", ".join(repr(name or ".")[1:-1] for name in wrong[:MAX_NAMED_FILES])
    more = len(wrong) - MAX_NAMED_FILES
    return f"{named} and {more} more" if more > 0 else named


class _Content:
    """The content of a file, hashed while it is read."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size) if self._file is not None else b""
        self.digest.update(data)
        return data


class _CheckedSource:
    """Reports the progress of a source, and remembers its last octets."""

    def __init__(self, source: ByteSource, on_bytes: OnBytes) -> None:
        self._source = source
        self._seen = on_bytes
        self._last = b""

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._seen(len(data))
        self._last = (self._last + data[-len(END_OF_ARCHIVE) :])[-len(END_OF_ARCHIVE) :]
        return data

    def require_end(self) -> None:
        """Read to the end, and require the end of an archive there.

        If the engine fails during a stream, it appends an error message and ends the stream
        normally; tarfile does not notice.
        """
        while self.read(CHUNK_BYTES):
            pass
        if self._last != END_OF_ARCHIVE:
            raise tarfile.ReadError("the engine's archive broke off")


def _members(
    source: ByteSource, on_bytes: OnBytes
) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    checked = _CheckedSource(source, on_bytes)
    with tarfile.open(fileobj=cast("IO[bytes]", checked), mode="r|", bufsize=CHUNK_BYTES) as tar:
        while (member := tar.next()) is not None:
            yield tar, member
            tar.members.clear()  # type: ignore[attr-defined] # one for every file
    checked.require_end()


def _relocated(member: tarfile.TarInfo, name: str, into: str) -> tarfile.TarInfo:
    relocated = copy.copy(member)
    relocated.name = f"{into}/{name}" if name else into
    if member.islnk():
        relocated.linkname = f"{into}/{_relative(member.linkname)}"
    # The names in an extended header would override the new ones.
    relocated.pax_headers = {
        key: value for key, value in member.pax_headers.items() if key not in _RENAMED
    }
    return relocated


def _record(member: tarfile.TarInfo, content: _Content, records: Records) -> bytes:
    if member.islnk():  # a hard link to an earlier file
        return records.get(_relative(member.linkname), b"")
    compared = (
        member.type,
        member.mode & 0o7777,
        (member.uid, member.gid),
        member.size,
        content.digest.digest(),
        member.linkname if member.issym() else "",
        (member.devmajor, member.devminor) if member.isdev() else (),
    )
    return hashlib.sha256(repr(compared).encode()).digest()


def is_below(name: str, folders: frozenset[str]) -> bool:
    """Whether a path is inside one of the folders, and not a folder itself."""
    return any(name.startswith(f"{folder}/") for folder in folders)


def _relative(name: str) -> str:
    """``./a/b`` without its root; the root itself is empty."""
    return name.removeprefix(".").removeprefix("/")

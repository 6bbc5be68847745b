"""The files in memory, as many as there is room for: the least recently used ones go first.

A second coding of a file is only an extra, and goes before any file does.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import TypeVar

from proxy.cache.stored_file import CodedContent, FileKey, StoredFile

OVERHEAD_BYTES = 2048
"""Of a file beside its content: its fields, and what holds them."""

T = TypeVar("T")


class MemoryStore:
    """Files by their keys.

    Attributes:
        targets: The request targets of all files.
        size_bytes: What they take, in all their codings.
        max_bytes: What they may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self.targets: Counter[bytes] = Counter()
        self._versions: Counter[tuple[bytes, bytes]] = Counter()
        self._files: OrderedDict[FileKey, StoredFile] = OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[StoredFile]:
        return iter(tuple(self._files.values()))

    def __contains__(self, key: FileKey) -> bool:
        return key in self._files

    def get(self, key: FileKey) -> StoredFile | None:
        """The file, which is then the most recently used one."""
        file = self._files.get(key)
        if file is not None:
            self._files.move_to_end(key)
        return file

    def add(self, file: StoredFile) -> list[StoredFile]:
        """Keep a file; returns the files that were evicted to make room."""
        self.remove(file.key)
        self._files[file.key] = file
        self.targets[file.key.target] += 1
        if file.key.unproven:
            self._versions[file.key.file] += 1
        self.size_bytes += _size(file)
        self._remove_extras()
        gone = []
        while self.size_bytes > self.max_bytes:
            oldest = next(iter(self._files.values()))
            gone.append(oldest)
            self.remove(oldest.key)
        return gone

    def holds(self, file: StoredFile) -> bool:
        """Whether it is this very file that is kept, and not a later one in its place."""
        return self._files.get(file.key) is file

    def has_room(self, octets: int) -> bool:
        """Whether so many fit beside what is kept."""
        return self.size_bytes + octets <= self.max_bytes

    def add_coding(self, file: StoredFile, added: CodedContent) -> None:
        """Keep a file in one more coding, if it is still kept and there is room."""
        wanted = self.holds(file) and added.coding not in file.codings
        if wanted and self.has_room(len(added.octets)):
            file.codings[added.coding] = added
            self.size_bytes += len(added.octets)

    def _remove_extras(self) -> None:
        """Make room by the codings that are not the best of their files."""
        for file in self._files.values():
            if self.size_bytes <= self.max_bytes:
                return
            size_bytes = _size(file)
            file.codings = {file.best.coding: file.best}
            self.size_bytes -= size_bytes - _size(file)

    def remove(self, key: FileKey) -> None:
        """Forget a file, if it is there."""
        file = self._files.pop(key, None)
        if file is None:
            return
        self.size_bytes -= _size(file)
        _take_one(self.targets, key.target)
        if key.unproven:
            _take_one(self._versions, key.file)

    def has_version(self, key: FileKey) -> bool:
        """Whether the same file is kept with a ``?v=`` that its content has proven."""
        return key.file in self._versions

    def with_content(self, digest: str) -> StoredFile | None:
        """A file with this content under whatever name."""
        return next((file for file in self._files.values() if file.digest == digest), None)

    def clear(self) -> None:
        """Forget every file."""
        self._files.clear()
        self.targets.clear()
        self._versions.clear()
        self.size_bytes = 0


def _take_one(counts: Counter[T], key: T) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _size(file: StoredFile) -> int:
    contents = (one.octets for one in file.codings.values())
    return sum(map(len, contents)) + OVERHEAD_BYTES

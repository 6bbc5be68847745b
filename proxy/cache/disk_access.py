"""The files on disk for the event loop: they are used in threads, and not at all if none are kept.

Tested by tests/cache/test_static_cache.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

from proxy.cache.disk_store import DiskStore
from proxy.cache.stored_file import FileKey, StoredFile
from proxy.runtime.daemon_thread import run_in_daemon_thread

T = TypeVar("T")


class DiskAccess:
    """Waits for a store in threads.

    Args:
        store: None if nothing is kept on disk.
    """

    def __init__(self, store: DiskStore | None) -> None:
        self._store = store

    @property
    def folder(self) -> Path | None:
        """Where the files are; None if none are."""
        return self._store.folder if self._store is not None else None

    async def read_all(self) -> list[StoredFile]:
        """Every file, the most recently written one first."""
        return await _in_thread(self._store.read_all) if self._store is not None else []

    async def with_content(self, key: FileKey, digest: str) -> StoredFile | None:
        """The file with this content, if another worker has kept it."""
        if self._store is None:
            return None
        file = await _in_thread(partial(self._store.read, key))
        return file if file is not None and file.digest == digest else None

    async def generation(self) -> str:
        """Of the files that are kept now."""
        return await _in_thread(self._store.generation) if self._store is not None else ""

    async def write(self, file: StoredFile, generation: str) -> None:
        """Keep a file that was fetched during a generation."""
        if self._store is not None:
            await _in_thread(partial(self._store.write, file, generation))

    async def remove(self, files: Iterable[StoredFile]) -> None:
        """Forget some files."""
        if self._store is not None:
            for file in files:
                await _in_thread(partial(self._store.remove, file.key))

    async def drop(self, generation: str) -> str:
        """Forget every file of a generation; returns the one from now on."""
        if self._store is None:
            return ""
        return await _in_thread(partial(self._store.drop, generation))

    async def end(self) -> None:
        """Forget every file, and keep none any more."""
        if self._store is not None:
            await _in_thread(self._store.end)


async def _in_thread(work: Callable[[], T]) -> T:
    return await run_in_daemon_thread("static files", work)

"""Files in gzip, for clients that accept it and not br, as browsers do over plain HTTP.

They are made when the first such client has asked, in the background, and only in memory: gzip
takes so much less time than the best coding that it may be repeated after a restart. They only take
room that no file needs. A copy for which there was none is not made again until there is.
"""

from __future__ import annotations

import asyncio

from proxy.cache.best_coding import in_gzip
from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import StoredFile
from proxy.rules.compression import preferred
from proxy.rules.head import RequestHead


class GzipCopies:
    """The files that will be compressed with gzip, too.

    Attributes:
        to_do: Set when there are some.

    Args:
        files: Those in memory.
    """

    def __init__(self, files: MemoryStore) -> None:
        self.to_do = asyncio.Event()
        self._files = files
        self._wanted: dict[StoredFile, None] = {}

    def want(self, file: StoredFile, request: RequestHead) -> None:
        """A client asked for a file and accepts none of its codings."""
        if file.best.coding != b"br" or preferred((b"gzip",), request) is None:
            return
        if self._files.has_room(_least_size(file)):
            self._wanted[file] = None
            self.to_do.set()

    async def make(self) -> None:
        """Compress those that are still kept, and that there is still room for."""
        while self._wanted:
            file, _ = self._wanted.popitem()
            if not self._files.holds(file) or b"gzip" in file.codings:
                continue
            if self._files.has_room(_least_size(file)):
                copy = await in_gzip(file.best)
                file.gzip_bytes = len(copy.octets)
                self._files.add_coding(file, copy)


def _least_size(file: StoredFile) -> int:
    """In gzip, in bytes: known once that was made, and taken to be no less than in br."""
    return file.gzip_bytes or len(file.best.octets)

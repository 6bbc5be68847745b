"""Files in gzip, for clients that accept it and not br, as browsers do over plain HTTP.

They are made when the first such client has asked, in the background, and only in memory: that
takes much less time than the best coding, so that a restart may do it again.
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
        if file.best.coding == b"br" and preferred((b"gzip",), request) is not None:
            self._wanted[file] = None
            self.to_do.set()

    async def make(self) -> list[StoredFile]:
        """Compress them; returns the files that had to go from the memory for them."""
        gone: list[StoredFile] = []
        while self._wanted:
            file, _ = self._wanted.popitem()
            if b"gzip" not in file.codings:
                gone += self._files.add_coding(file, await in_gzip(file.best))
        return gone

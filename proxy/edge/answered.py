"""What aiohttp is told of an answer: that it is on the wire, and whether to go on."""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter


class Answered(web.StreamResponse):
    """An answer that has nothing left to write."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        self._persistent = persistent

    @property
    def keep_alive(self) -> bool:
        return self._persistent

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


STAY = Answered(persistent=True)
GOODBYE = Answered(persistent=False)

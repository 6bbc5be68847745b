"""What aiohttp is told of an answer: that it is on the wire, and whether to go on."""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from proxy.upstream.streams import Downstream


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


class Farewell(Answered):
    """The last answer of a connection whose client may still be sending.

    What comes is read and dropped for a while: a connection that is closed over unread
    octets is reset, and the answer may be lost with it (RFC 9112 section 9.6).
    """

    def __init__(self, downstream: Downstream) -> None:
        super().__init__(persistent=False)
        self._downstream = downstream

    async def write_eof(self, data: bytes = b"") -> None:
        await self._downstream.linger()


STAY = Answered(persistent=True)
GOODBYE = Answered(persistent=False)

"""A request's content on its way from aiohttp's ``StreamReader`` to the proxying.

Tested by tests/web/front/test_handler.py.
"""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader

from proxy.errors import ClientFault
from proxy.http1.request_body import SizedBody
from proxy.net.limits import Limits
from proxy.web.front.head_reader import ReadHead


class ContentReceiver:
    """Fills a ``SizedBody``; the connection's side of it (``request_body.Source``).

    When Jupyter reads slowly nothing is taken any more. aiohttp's buffer then fills, and it stops
    reading from the client.

    Attributes:
        body: The content as the proxying takes it; without a length where it is chunked.

    Args:
        content: What aiohttp receives, never decompressed.
        read: The head in front of it.
        limits: The slowest pace of it.
    """

    __slots__ = ("_content", "_length", "_received", "_taken", "body")

    def __init__(self, content: StreamReader, read: ReadHead, limits: Limits) -> None:
        framing = read.head.section.framing
        self._length = None if framing.chunked else framing.length
        self.body = SizedBody(
            self, limits, self._length, expects_continue=read.facts.expects_continue
        )
        self._content = content
        self._received = 0
        self._taken: asyncio.Event | None = None
        if content.is_eof() and content.exception() is None:
            # It came along with the head, and needs no task.
            if arrived := content.read_nowait():
                self._feed(arrived)
            self._end()

    async def run(self) -> None:
        """Receive all of it."""
        try:
            while piece := await self._content.readany():
                self._feed(piece)
                if self._taken is not None:
                    await self._taken.wait()
            self._end()
        except ConnectionError as error:
            self.body.fail(error)
        except Exception:
            # aiohttp's errors of malformed content have no class in common.
            self._refuse()

    def refuse_unless_received(self) -> None:
        """Fail the body as malformed unless aiohttp has received all of it."""
        if not self._content.is_eof():
            self._refuse()

    def pause_reading(self) -> None:
        self._taken = asyncio.Event()

    def resume_reading(self) -> None:
        if self._taken is not None:
            self._taken.set()
            self._taken = None

    def _refuse(self) -> None:
        self.body.fail(ClientFault(400, "The request's content is not well-formed."))

    def _feed(self, piece: bytes) -> None:
        self._received += len(piece)
        self.body.feed(piece)

    def _end(self) -> None:
        if self._length is not None and self._received != self._length:
            # Never let a request look complete that is not (RFC 9112 section 8).
            self._refuse()
        else:
            self.body.end()

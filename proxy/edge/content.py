"""A request's content as it arrives."""

from __future__ import annotations

import asyncio
from time import monotonic

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from proxy.errors import ClientFault

from .limits import Limits

FRAMING_ALLOWANCE = 16 * 1024
FRAMING_FACTOR = 8
"""A chunk of one octet is six octets long; more than this is no framing but padding."""


class ArrivedContent:
    """A request's content (``streams.Content``), which must keep a minimum pace."""

    def __init__(self, reader: StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._allowed = limits.content_grace_seconds
        self._fault: Exception | None = None

    def arrived(self) -> bytes | None:
        """Everything, when it came along with the head."""
        if self._fault is not None:
            return None
        if self._reader.at_eof():
            return b""
        return self._reader.read_nowait() if self._reader.is_eof() else None

    async def read(self) -> bytes:
        """The next piece, b"" at the end.

        Raises:
            ClientFault: It came too slowly, or is malformed.
            ConnectionError: There will be no more.
        """
        if self._fault is not None:
            raise self._fault
        waiting_since = monotonic()
        try:
            async with asyncio.timeout(self._allowed) as patience:
                piece = await self._reader.readany()
        except (OSError, HttpProcessingError, web.RequestPayloadError) as error:
            if isinstance(error, TimeoutError) and patience.expired():
                raise ClientFault(408, "The request's content came too slowly.") from None
            raise ConnectionError(str(error)) from error
        if self._fault is not None:
            # It came with the very octets that completed the content.
            raise self._fault
        # Only the time labgate waited for the client counts, never a slow Jupyter's; and
        # what came quickly buys no long silence later.
        self._allowed -= monotonic() - waiting_since
        self._allowed += len(piece) / self._limits.content_pace
        self._allowed = min(self._allowed, self._limits.content_grace_seconds)
        return piece

    def break_off(self, error: Exception) -> None:
        """There will be no more content; nothing happens when it is complete already."""
        if not self._reader.is_eof():
            self._refuse(error)

    def judge(self, chunks: Chunks) -> None:
        """Refuse content that came in unacceptable chunks, complete or not."""
        if chunks.reader is self._reader and chunks.fault is not None:
            self._refuse(chunks.fault)

    def _refuse(self, error: Exception) -> None:
        self._fault = error
        if not self._reader.is_eof():
            self._reader.set_exception(error)


class Chunks:
    """Watches the octets around chunked content.

    Chunk extensions and trailers are dropped (RFC 9112 sections 7.1.1 and 7.1.2), so
    nobody else would notice how many there are.

    Attributes:
        reader: Gets the content.
        fault: Why it cannot be accepted.
    """

    def __init__(self, reader: StreamReader, limits: Limits) -> None:
        self.reader = reader
        self.fault: ClientFault | None = None
        self._most_trailers = limits.head
        self._octets = 0
        self._content = 0
        self._barren = 0

    def came(self, octets: int, *, malformed: bool, held: bool) -> None:
        """So many more octets came.

        Args:
            octets: How many.
            malformed: The parser refused them.
            held: The parser has put some aside, until the content before is read.
        """
        self._octets += octets
        content = self.reader.total_bytes
        # Octets in a row without any content can only be trailers or one endless line.
        self._barren = 0 if held or content > self._content else self._barren + octets
        self._content = content
        if malformed:
            if not self.reader.is_eof():
                self.fault = ClientFault(400, "The request's content is not well-formed.")
        elif (
            self._octets - content > FRAMING_ALLOWANCE + FRAMING_FACTOR * content
            or self._barren > self._most_trailers
        ):
            self.fault = ClientFault(400, "There is too much around the request's content.")

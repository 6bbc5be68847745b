"""A client of HTTP/2 that sends any bytes, and reads strictly what labgate sends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import cache

from hpack import Decoder

from tests.certificates import AUTHORITY
from tests.http2 import frames
from tests.http2.frames import ERRORS, RawFrame

NAME = "lab.example.org"
LIMIT_SECONDS = 30
"""A hang is a failure."""
MAX_HEAD_BYTES = 2**20
"""Of a response, in HPACK's count: Jupyter's may have 256 KiB."""


class ReceivedStream:
    """What a client has received of one stream.

    Attributes:
        pieces: Of its content, as they came.
        size: Their octets.
    """

    def __init__(self) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.ended = False
        self.reset = ""

    @property
    def statuses(self) -> list[int]:
        return [int(dict(head)[b":status"]) for head in self.heads]

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def fields(self) -> dict[bytes, bytes]:
        return dict(self.heads[-1])


class RawClient:
    """One TLS connection; a strict reader of what labgate sends on it.

    Attributes:
        received: Every frame in order.
        streams: What became of each stream.
        goaway: The name of the error of the first GOAWAY.
        closed: Whether the connection has ended.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._decoder = Decoder(max_header_list_size=MAX_HEAD_BYTES)
        self._decoder.max_allowed_table_size = 2**32
        self._changed = asyncio.Event()
        self.received: list[RawFrame] = []
        self.streams: dict[int, ReceivedStream] = {}
        self.goaway = ""
        self.closed = self.greeted = False
        self._open_block: tuple[RawFrame, bytes] | None = None
        self._reading = asyncio.ensure_future(self._read())

    def send(self, *data: bytes) -> None:
        self.greeted = True
        self.writer.write(b"".join(data))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so, or the connection has ended."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not condition() and not self.closed:
                self._changed.clear()
                await self._changed.wait()
        if self._reading.done():
            self._reading.result()

    async def response(self, stream: int) -> ReceivedStream:
        """Wait for the end of a stream."""
        await self.until(lambda: self.ended(stream))
        return self.streams[stream]

    async def pong(self) -> None:
        """Wait until labgate has read everything that was sent before."""
        before = self.count(frames.PING)
        self.send(frames.ping())
        await self.until(lambda: self.count(frames.PING) > before)

    async def until_opened(self, stream: int, count: int) -> None:
        """Wait until a window was opened by so many bytes."""
        await self.until(lambda: self.opened(stream) >= count)

    async def until_begun(self, stream: int) -> None:
        """Wait for the first frame of a response, or for the end of the connection."""
        await self.until(lambda: stream in self.streams or self.goaway)

    async def until_ended(self, stream: int) -> None:
        """Wait for the end of a stream, or of the connection."""
        await self.until(lambda: self.ended(stream) or self.goaway)

    async def until_more(self, response: ReceivedStream, heads: int, size: int) -> None:
        """Wait until a response has more than so many heads and bytes of content, or has ended."""
        await self.until(
            lambda: (
                len(response.heads) > heads
                or response.size > size
                or response.ended
                or response.reset
            )
        )

    def opened(self, stream: int) -> int:
        """By how many bytes a window was opened."""
        return sum(
            int.from_bytes(one.payload, "big")
            for one in self.received
            if one.kind == frames.WINDOW_UPDATE and one.stream == stream
        )

    def ended(self, stream: int) -> bool:
        found = self.streams.get(stream)
        return found is not None and (found.ended or bool(found.reset))

    async def close(self) -> None:
        self.writer.transport.abort()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        rest = b""
        try:
            while data := await self._reader.read(65536):
                found, rest = frames.frames_in(rest + data)
                for one in found:
                    self.received.append(one)
                    self._take(one)
                self._changed.set()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            self.closed = True
            self._changed.set()

    def _take(self, one: RawFrame) -> None:
        kind = one.kind
        stream = self.streams.setdefault(one.stream, ReceivedStream()) if one.stream else None
        if self._open_block is not None:
            assert kind == frames.CONTINUATION, "a header block was interrupted"
        if stream is not None and kind != frames.RST_STREAM:
            assert not stream.ended or kind == frames.WINDOW_UPDATE, f"{one} after the end"
        match kind:
            case frames.HEADERS | frames.CONTINUATION:
                assert stream is not None
                first, block = self._open_block or (one, b"")
                block += one.payload
                self._open_block = (first, block)
                if one.flags & frames.END_HEADERS:
                    self._open_block = None
                    stream.heads.append(list(self._decoder.decode(block, raw=True)))
                    stream.ended = bool(first.flags & frames.END_STREAM)
            case frames.DATA:
                assert stream is not None
                assert stream.heads, "content before a head"
                stream.pieces.append(one.payload)
                stream.size += len(one.payload)
                stream.ended = bool(one.flags & frames.END_STREAM)
            case frames.RST_STREAM:
                assert stream is not None
                stream.reset = stream.reset or ERRORS[int.from_bytes(one.payload, "big")]
            case frames.GOAWAY:
                self.goaway = self.goaway or ERRORS[int.from_bytes(one.payload[4:8], "big")]
            case frames.SETTINGS:
                if not one.flags & frames.ACK and self.greeted:
                    self.send(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def count(self, kind: int, stream: int | None = None) -> int:
        """How many frames of a type have come."""
        return sum(
            one.kind == kind and (stream is None or one.stream == stream) for one in self.received
        )


@cache
def _trusting(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    context.set_alpn_protocols(list(alpn))
    return context


async def connect(
    port: int, *, alpn: tuple[str, ...] = ("h2",), name: str = NAME, address: str = "127.0.0.1"
) -> RawClient:
    """A client's connection on which nothing was sent."""
    return RawClient(
        *await asyncio.open_connection(
            address, port, ssl=_trusting(alpn), server_hostname=name, limit=2**20
        )
    )

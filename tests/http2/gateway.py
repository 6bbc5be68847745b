"""HTTP/1.1 in front of labgate's HTTP/2: with ``--front http2`` tests that write HTTP/1.1 try it.

A gateway adds no judgement of its own, and hides nothing: a response that is reset ends with a
reset, one that waits for its client waits for windows, and a client that leaves takes its
connection along.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import responses
from itertools import count

from proxy.http2.server import Http2Server
from proxy.messages import Dispatch
from proxy.net.limits import Limits
from proxy.net.listener import Listener
from proxy.net.ports import BACKLOG, bind
from proxy.net.reset import reset
from tests.certificates import context_for
from tests.http2 import frames
from tests.http2.raw_client import NAME, RawClient, ReceivedStream, connect
from tests.wire import messages
from tests.wire.messages import Message

OF_A_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding"}
FIRST_WINDOW_BYTES = 65_535
"""RFC 9113 section 6.9.2; the gateway never waits for more."""
BUFFERED_BYTES = 65_536
"""In the kernel, for a client that does not read."""


class ClientProtocol(asyncio.StreamReaderProtocol):
    """Takes a FIN for the end: a client of HTTP/2 over TLS cannot close one direction alone."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class Gateway:
    """An HTTP/2 server of labgate's, and in front of it one of HTTP/1.1 that asks it.

    Each connection of a client has one of its own to labgate, and its requests follow one another.
    """

    def __init__(self, dispatch: Dispatch, *, limits: Limits, plain_redirects: bool) -> None:
        assert not plain_redirects, "HTTP/2 is spoken over TLS only"
        self._server = Http2Server(dispatch, limits=limits)
        self._conversations: set[asyncio.Task[None]] = set()
        self._faults: list[Exception] = []

    async def start(self) -> None:
        """Listen with HTTP/2."""
        (listening,) = bind(["127.0.0.1"], 0, "--https-port")
        self._port = listening.getsockname()[1]
        self._listener = Listener(self._server, listening, context_for(((NAME,),)), BACKLOG)

    def __call__(self) -> asyncio.Protocol:
        """A client's connection."""
        reader = asyncio.StreamReader(limit=2**20)
        return ClientProtocol(reader, self._serve)

    async def enforce_timeouts(self) -> None:
        await self._server.enforce_timeouts()

    async def shutdown(self, timeout: float) -> None:
        """End everything.

        Raises:
            AssertionError: labgate has sent what HTTP/2 does not allow.
        """
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        self._listener.close()
        await self._server.shutdown(timeout)
        if self._faults:
            raise self._faults[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        limit_buffers(writer)
        labgate = await connect(self._port)
        labgate.send(frames.PREFACE, frames.settings())
        talking = asyncio.ensure_future(converse(reader, writer, labgate))
        leaving = asyncio.ensure_future(writer.wait_closed())
        try:
            await asyncio.wait({talking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Exception as fault:
            self._faults.append(fault)
        finally:
            talking.cancel()
            writer.close()
            await labgate.close()
            await asyncio.gather(talking, leaving, return_exceptions=True)
            self._conversations.discard(task)


def limit_buffers(writer: asyncio.StreamWriter) -> None:
    """Hold little for a client that does not read."""
    channel = writer.get_extra_info("socket")
    with suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFERED_BYTES)


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, labgate: RawClient
) -> None:
    """One request after the other, each on a stream of its own."""
    received = b""
    for stream in count(1, 2):
        while not (found := messages.requests(received)[0]) or not found[0].complete:
            data = await reader.read(65536)
            if not data:
                return
            received += data
        message = found[0]
        received = received[len(message.head) + len(message.content) :]
        labgate.send(*as_frames(stream, message))
        if not await respond(writer, labgate, stream, message):
            reset(writer.transport)
            return
        if message.ends:
            return


def as_frames(stream: int, message: Message) -> Iterator[bytes]:
    """A request in HTTP/2 (RFC 9113 section 8.3.1)."""
    assert not message.values(b"transfer-encoding"), "its length in the bytes is another one"
    assert len(message.content) < FIRST_WINDOW_BYTES
    method, target, _ = message.head.split(b" ", 2)
    (authority,) = message.values(b"host")
    pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", authority)]
    fields = [(name.lower(), value) for name, value in message.fields]
    others = [field for field in fields if field[0] not in OF_A_CONNECTION | {b"host"}]
    yield frames.headers(stream, [*pseudo, (b":path", target), *others], end=not message.content)
    for start in range(0, len(message.content), 16_384):
        piece = message.content[start : start + 16_384]
        yield frames.data(stream, piece, end=start + len(piece) == len(message.content))


async def respond(
    writer: asyncio.StreamWriter, labgate: RawClient, stream: int, message: Message
) -> bool:
    """Pass the response on as it comes; whether it was complete."""
    await labgate.until_begun(stream)
    response = labgate.streams.get(stream, ReceivedStream())
    is_head = message.head.startswith(b"HEAD ")
    heads = sent = 0
    chunked = False
    while True:
        for head in response.heads[heads:]:
            heads += 1
            chunked = write_head(writer, head, is_head=is_head, ends=message.ends)
        piece = b"".join(response.pieces)
        response.pieces.clear()
        sent += len(piece)
        if piece:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            labgate.send(
                frames.window_update(0, len(piece)), frames.window_update(stream, len(piece))
            )
        if response.ended and sent == response.size:
            break
        if response.reset or labgate.closed:
            return False
        await labgate.until_more(response, heads, sent)
    if chunked:
        writer.write(b"0\r\n\r\n")
    else:
        length = response.fields.get(b"content-length", b"0")
        assert is_head or response.statuses[-1] == 304 or int(length) == sent
    await writer.drain()
    return True


def write_head(
    writer: asyncio.StreamWriter, head: list[tuple[bytes, bytes]], *, is_head: bool, ends: bool
) -> bool:
    """Write it as HTTP/1.1 has it; whether its content is chunked then."""
    (_, status), *fields = head
    names = [name for name, _ in fields]
    assert head[0][0] == b":status", head
    assert not any(name.startswith(b":") or name != name.lower() for name in names), head
    assert not OF_A_CONNECTION.intersection(names), "RFC 9113 section 8.2.2"
    reason = responses.get(int(status), "").encode("ascii")
    lines = [b"HTTP/1.1 %b %b" % (status, reason)]
    lines += [name.title() + b": " + value for name, value in fields]
    final = int(status) >= 200
    bodiless = is_head or status in (b"204", b"304")
    chunked = final and not bodiless and b"content-length" not in names
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    if final and ends:
        lines.append(b"Connection: close")
    writer.write(b"\r\n".join([*lines, b"", b""]))
    return chunked

"""The server behind every proxy: the least an answer can cost.

``python -m tests.bench.upstream`` prints its port, then serves until it is ended.

- ``GET /small``: 1 KiB, and all of these below ``/user/NAME``
- ``GET /bytes/N``: N bytes
- ``PUT /sink``: reads the content, answers 1 KiB
- ``GET /ws/echo/N`` (upgrade): answers every N bytes with one 200-byte message
- ``GET /ws/down/SIZE/COUNT`` (upgrade): sends COUNT messages of SIZE bytes
- ``GET /ws/up/N`` (upgrade): reads N bytes, then sends one 200-byte message

WebSocket frames are counted in bytes, never parsed: both ends are ours.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import cast

from tests.bench.frames import server_frame
from tests.bench.loops import run

SMALL = b"x" * 1024
PIECE = b"x" * 2**18

_FIELDS = b"Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
_SMALL_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: TornadoServer/6.5\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n" + _FIELDS + b"Content-Length: 1024\r\n\r\n" + SMALL
)
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ECHO = server_frame(200)


class Connection(asyncio.Protocol):
    """One connection from a proxy; requests come one at a time, never pipelined."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._close = False
        self._sinking = 0
        self._echo_every = 0
        self._pending = 0
        self._upload = 0
        self._piece = b""
        self._remaining = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=2**20)

    def data_received(self, data: bytes) -> None:
        if self._echo_every:
            self._pending += len(data)
            while self._pending >= self._echo_every:
                self._pending -= self._echo_every
                self._write(_ECHO)
        elif self._upload:
            self._upload -= len(data)
            if self._upload <= 0:
                self._write(_ECHO)
        elif self._sinking:
            self._sink(len(data))
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end >= 0:
                head, rest = self._head[:end], self._head[end + 4 :]
                self._head = b""
                self._request(head, rest)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()

    def _request(self, head: bytes, rest: bytes) -> None:
        target = head[: head.index(b"\r\n")].split(b" ")[1]
        self._close = b"\r\nconnection: close" in head.lower()
        if target.startswith(b"/user/"):
            # A Hub's proxy keeps the route in the path.
            target = b"/" + target.split(b"/", 3)[3]
        if target == b"/small":
            self._write(_SMALL_ANSWER)
            self._end()
            return
        parts = target.strip(b"/").split(b"/")
        if parts[0] == b"bytes":
            size = int(parts[1])
            self._write(b"HTTP/1.1 200 OK\r\n" + _FIELDS + b"Content-Length: %d\r\n\r\n" % size)
            self._send(PIECE, size)
        elif parts[0] == b"sink":
            self._sinking = int(_value(head, b"content-length"))
            self._sink(len(rest))
        elif parts[0] == b"ws":
            self._upgrade(head, parts)
        else:
            self._write(_MISSING)
            self._end()

    def _upgrade(self, head: bytes, parts: list[bytes]) -> None:
        digest = hashlib.sha1(_value(head, b"sec-websocket-key") + _WEBSOCKET_GUID).digest()
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        if parts[1] == b"echo":
            self._echo_every = int(parts[2])
        elif parts[1] == b"up":
            self._upload = int(parts[2])
        else:
            frame = server_frame(int(parts[2]))
            self._send(frame, len(frame) * int(parts[3]))

    def _sink(self, size: int) -> None:
        self._sinking -= size
        if self._sinking <= 0:
            self._write(_SMALL_ANSWER)
            self._end()

    def _send(self, piece: bytes, size: int) -> None:
        self._piece, self._remaining = piece, size
        self._pump()

    def _pump(self) -> None:
        while self._remaining and not self._paused:
            piece = self._piece[: self._remaining]
            self._remaining -= len(piece)
            self._write(piece)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _end(self) -> None:
        if self._close and self._transport is not None:
            self._transport.close()


def _value(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.strip().lower() == name:
            return value.strip()
    raise ValueError(f"the proxy sent no {name.decode()}")


async def serve() -> None:
    """Listen on a free loopback port until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run(serve())

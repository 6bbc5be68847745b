"""A stand-in for Jupyter's static files, as jupyter_server's FileFindHandler serves them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from proxy.net.upstream_address import UpstreamAddress

IMMUTABLE = b"public, max-age=31536000, immutable"
OLD, NEW = b"Sun, 06 Nov 2022 08:49:37 GMT", b"Mon, 07 Nov 2022 08:49:37 GMT"


@dataclass
class File:
    """What is served; ``private`` only to somebody with a cookie."""

    content: bytes
    last_modified: bytes = OLD
    cache_control: bytes = IMMUTABLE
    fields: bytes = b""
    private: bool = False
    media: bytes = b"application/javascript"
    status: bytes = b"200 OK"


@dataclass
class FileServer:
    """Serves ``files`` on one port, also after a restart; ``asked`` are the requests so far."""

    files: dict[bytes, File]
    asked: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _used: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def address(self) -> UpstreamAddress:
        return UpstreamAddress("127.0.0.1", self.port)

    def requests(self, method: bytes, target: bytes) -> list[bytes]:
        """The heads of those requests."""
        return [head for one, other, head in self.asked if (one, other) == (method, target)]

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a process that ends: its connections end, too."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        self._writers.clear()

    def end_used(self) -> None:
        """End the connections that have carried a request, as a balancer may."""
        for writer in self._used:
            writer.close()
        self._used.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
                self.asked.append((method, target, head))
                self._used.add(writer)
                writer.write(self._answer(method, target, head))
                await writer.drain()
        writer.close()

    def _answer(self, method: bytes, target: bytes, head: bytes) -> bytes:
        file = self.files.get(target)
        if file is None or (file.private and b"\r\ncookie:" not in head.lower()):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        lines = [
            b"HTTP/1.1 " + file.status,
            b"Server: TornadoServer/6.6",
            b"Date: Sun, 06 Nov 2022 08:49:37 GMT",
            b"Content-Type: " + file.media,
            b"Last-Modified: " + file.last_modified,
            b"Cache-Control: " + file.cache_control,
            b"Accept-Ranges: bytes",
            b"Content-Length: %d" % len(file.content),
        ]
        content = b"" if method == b"HEAD" else file.content
        return b"\r\n".join(lines) + b"\r\n" + file.fields + b"\r\n" + content

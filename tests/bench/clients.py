"""One client's connection, blocking: the least a client can add to a round trip."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from tests.bench.frames import client_frame, server_frame

TIMEOUT_SECONDS = 60.0
BUFFER_BYTES = 2**18
SMALL_BYTES = 1024


@dataclass(frozen=True)
class Address:
    """Where a proxy listens, and how to trust it."""

    port: int
    tls: ssl.SSLContext

    @property
    def host(self) -> bytes:
        return b"localhost:%d" % self.port

    def get(self, target: bytes) -> bytes:
        """A request as a browser's fetch sends it, shortened."""
        return (
            b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\n"
            b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\n"
            b"Cookie: _xsrf=2|d3b07384|d3b07384d113edec49eaa6238ad5ff00|1700000000\r\n\r\n"
            % (target, self.host)
        )

    def upgrade(self, target: bytes) -> bytes:
        """A WebSocket handshake from a page of the proxy's own site."""
        return (
            b"GET %b HTTP/1.1\r\nHost: %b\r\nOrigin: https://%b\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (target, self.host, self.host)
        )


class Client:
    """A TLS connection to a proxy; ``with`` closes it."""

    def __init__(self, address: Address, session: ssl.SSLSession | None = None) -> None:
        self._address = address
        plain = socket.create_connection(("127.0.0.1", address.port), timeout=TIMEOUT_SECONDS)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = address.tls.wrap_socket(
                plain, server_hostname="localhost", session=session
            )
        except BaseException:
            plain.close()
            raise
        self._buffer = bytearray(BUFFER_BYTES)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def small(self) -> None:
        """One request for 1 KiB, answered completely."""
        self.socket.sendall(self._address.get(b"/small"))
        self.answer()

    def answer(self) -> int:
        """Read one answer with its content; returns the content's length."""
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._some()
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            raise ConnectionError(f"answered {head[:200]!r}")
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        self.skip(length - (len(data) - end - 4))
        return length

    def websocket(self, target: bytes) -> int:
        """Become a WebSocket; returns how many bytes came behind the 101."""
        self.socket.sendall(self._address.upgrade(target))
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._some()
        if not data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"answered {data[:200]!r}")
        return len(data) - end - 4

    def skip(self, size: int) -> None:
        """Read so many bytes and forget them."""
        receive, buffer = self.socket.recv_into, self._buffer
        while size > 0:
            count = receive(buffer)
            if not count:
                raise ConnectionError(f"the proxy closed with {size} bytes to come")
            size -= count

    def _some(self) -> bytes:
        data = self.socket.recv(BUFFER_BYTES)
        if not data:
            raise ConnectionError("the proxy closed the connection")
        return data


def http_round_trips(client: Client, count: int) -> list[float]:
    """The times of so many requests for 1 KiB, one after the other, in µs."""
    times = []
    for _ in range(count):
        since = time.perf_counter()
        client.small()
        times.append((time.perf_counter() - since) * 1e6)
    return times


def websocket_round_trips(client: Client, count: int) -> list[float]:
    """The times of so many 200-byte messages there and back, in µs."""
    message, size = client_frame(200), len(server_frame(200))
    times = []
    for _ in range(count):
        since = time.perf_counter()
        client.socket.sendall(message)
        client.skip(size)
        times.append((time.perf_counter() - since) * 1e6)
    return times

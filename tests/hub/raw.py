"""Both sides of a proxy by the octet: a client, and a target that says what a test tells it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: hub.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
SECONDS = 30


class RawClient:
    """A connection to a proxy."""

    def __init__(self, port: int, data: bytes) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.connection.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        return read_until(self.connection, end)

    def close(self) -> None:
        self.connection.close()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """What comes until, and with, ``end``; the other side says nothing behind it."""
    received = b""
    while not received.endswith(end):
        data = connection.recv(65536)
        assert data, received
        received += data
    return received


class RawTarget:
    """A target whose answers the test writes.

    Attributes:
        url: What leads to it.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def accept(self) -> tuple[socket.socket, bytes]:
        """The next connection, and the head that came over it."""
        connection, _ = self._listening.accept()
        connection.settimeout(SECONDS)
        return connection, read_until(connection, b"\r\n\r\n")


@contextmanager
def raw_target() -> Iterator[RawTarget]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        yield RawTarget(listening)


@contextmanager
def open_websocket(port: int, target: RawTarget) -> Iterator[tuple[RawClient, socket.socket]]:
    """A WebSocket over the route ``/x`` of a proxy, and its end at the target."""
    client = RawClient(port, HANDSHAKE % b"/x")
    server, _ = target.accept()
    server.sendall(SWITCHED)
    client.read_until(b"\r\n\r\n")
    try:
        yield client, server
    finally:
        client.close()
        server.close()


def status_of(port: int, request: bytes, address: str = "127.0.0.1") -> object:
    """The status that a request gets; what happened instead, if it gets none."""
    received = b""
    with (
        suppress(ConnectionError),
        socket.create_connection((address, port), SECONDS) as connection,
    ):
        connection.sendall(request)
        while b"\r\n" not in received and (data := connection.recv(65536)):
            received += data
    line = received.partition(b"\r\n")[0].split()
    return int(line[1]) if line else "the connection ends"


def over_unix(path: str, request: bytes) -> bytes:
    """What a request on a Unix socket gets, until its connection ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(request)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received

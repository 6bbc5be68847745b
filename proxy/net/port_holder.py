"""Whether the program that listens on a port is a labgate; asked when a port is taken."""

from __future__ import annotations

import socket
import ssl

ANSWER_SECONDS = 1.0
MAX_ANSWER_BYTES = 4096
_REQUEST = b"GET /.labgate/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWERS = (b"\r\n\r\nserving\n", b"\r\n\r\nThe metrics are at /metrics.\n")
"""How labgate's answer ends: where it serves (``web.health``), and at the port of its metrics
(``web.metrics``), which has no such path."""


def reachable(address: str) -> str:
    """The address to connect to for a listener on ``address``, which may mean all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104


def is_labgate(address: str, port: int) -> bool:
    """Whether a labgate answers there, over TLS or in plain HTTP; never raises.

    Args:
        address: What it listens on.
        port: Its port.
    """
    return any(_answer(address, port, tls=tls).endswith(_ANSWERS) for tls in (True, False))


def _connected(address: str, port: int) -> socket.socket:
    """A connection to the listener.

    Raises:
        OSError: Nobody listens there.
    """
    try:
        return socket.create_connection((reachable(address), port), ANSWER_SECONDS)
    except OSError:
        if address != "::":
            raise
        # A socket of both families, on a machine without ::1.
        return socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)


def _answer(address: str, port: int, *, tls: bool) -> bytes:
    try:
        with _connected(address, port) as plain:
            if not tls:
                return _ask(plain)
            # Nothing secret is sent, and its certificate is for another name.
            context = ssl._create_unverified_context()  # noqa: S323
            with context.wrap_socket(plain) as encrypted:
                return _ask(encrypted)
    except OSError:  # ssl.SSLError and TimeoutError, too
        return b""


def _ask(connection: socket.socket) -> bytes:
    connection.sendall(_REQUEST)
    answer = b""
    while len(answer) < MAX_ANSWER_BYTES and (piece := connection.recv(MAX_ANSWER_BYTES)):
        answer += piece
    return answer

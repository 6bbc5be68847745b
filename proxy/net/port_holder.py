"""Whether the program that listens on a port is a labgate; asked when a port is taken."""

from __future__ import annotations

import socket
import ssl

ANSWER_SECONDS = 1.0
MAX_ANSWER_BYTES = 4096
_REQUEST = b"GET /.labgate/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWER = b"\r\n\r\nserving\n"
"""How the answer of labgate's health path ends (``web.health``)."""


def reachable(address: str) -> str:
    """The address to connect to for a listener on ``address``, which may mean all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104


def is_labgate(address: str, port: int) -> bool:
    """Whether a labgate answers there, over TLS or in plain HTTP; never raises.

    Args:
        address: What it listens on.
        port: Its port.
    """
    host = reachable(address)
    return any(_answer(host, port, tls=tls).endswith(_ANSWER) for tls in (True, False))


def _answer(host: str, port: int, *, tls: bool) -> bytes:
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as plain:
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

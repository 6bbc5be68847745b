"""A server that refuses handshakes with an alert, which asyncio's do not send."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def refusing_tls(context: ssl.SSLContext) -> Iterator[int]:
    """Serve one connection after another on a port of loopback; nobody gets in."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        thread = Thread(target=_serve, args=(listening, context))
        thread.start()
        try:
            yield port
        finally:
            # Closing it would not wake who accepts.
            with socket.create_connection(("127.0.0.1", port)) as last:
                last.sendall(_LAST)
            thread.join()


_LAST = b"\0"


def _serve(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        accepted, _ = listening.accept()
        accepted.settimeout(30)
        with accepted:
            if accepted.recv(1, socket.MSG_PEEK) == _LAST:
                return
            with suppress(OSError), context.wrap_socket(accepted, server_side=True) as encrypted:
                encrypted.recv(1)

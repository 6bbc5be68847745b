"""A browser that is left has no connection any more, whatever its server does."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.doctor.browser import Browser, close
from proxy.doctor.target import Target
from tests.certificates import AUTHORITY, pair

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
CLOSE = b"\x88\x02\x03\xe8"
"""A frame with close code 1000."""


@contextmanager
def upgrading(folder: Path) -> Iterator[int]:
    """Answers the end of a WebSocket, and never the end of TLS; the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(folder, "localhost"))
    over = threading.Event()

    def serve() -> None:
        plain, _ = listening.accept()
        with plain, context.wrap_socket(plain, server_side=True) as client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            client.recv(65536)
            client.sendall(CLOSE)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        over.set()
        thread.join()


def test_a_server_that_does_not_answer_the_end_of_tls(tmp_path: Path) -> None:
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)

    async def visit(port: int) -> None:
        async with Browser(Target("https", "localhost", port), trust) as browser:
            answer, opened = await browser.socket("/", origin="https://localhost")
            assert opened is not None, answer
            await close(opened)
        assert not browser.open_sockets.left

    with upgrading(tmp_path) as port:
        asyncio.run(visit(port))
        # What is left open says so when it is collected, and warnings are errors.
        gc.collect()

"""Requests of labgate's own for static files, without credentials.

Tested by tests/cache/test_static_cache.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from proxy import __version__
from proxy.cache.stored_file import FileKey
from proxy.errors import UpstreamGarbage
from proxy.http1.client_connection import UpstreamConnection
from proxy.http1.request_writer import serialize_fields
from proxy.net.upstream_watch import UpstreamWatch
from proxy.rules.caching import MAX_CACHED_FILE_BYTES
from proxy.rules.head import Arrival, RequestHead, ResponseHead
from proxy.rules.request import upstream_fields
from proxy.rules.site import Site

HERE = Arrival("127.0.0.1")
FETCH_SECONDS = 30.0


class Connections(Protocol):
    """The connections to Jupyter; they come back by themselves after a response."""

    def take(self) -> UpstreamConnection | None:
        """An idle one."""

    async def dial(self) -> UpstreamConnection:
        """A new one.

        Raises:
            UpstreamDown: With the reason.
        """

    async def watch(self, on_lost: Callable[[], None]) -> UpstreamWatch:
        """One that carries nothing; ``on_lost`` is called once when it ends or Jupyter moves.

        Raises:
            UpstreamDown: With the reason.
        """


async def fetch(
    connections: Connections, site: Site, method: bytes, key: FileKey
) -> tuple[ResponseHead, bytes]:
    """Ask Jupyter as a browser would that comes for the first time.

    Raises:
        UpstreamError: There is no complete response, or it is too large.
        TimeoutError: It takes too long.
    """
    fields = ((b"Host", key.authority), (b"User-Agent", f"labgate/{__version__}".encode()))
    head = RequestHead(method, key.target, (1, 1), fields, HERE)
    lines = serialize_fields(upstream_fields(head, site))
    request_id = b"static-" + secrets.token_hex(8).encode("ascii")
    connection = connections.take() or await connections.dial()
    received = Received(connection)
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            connection.send(received, head, lines, request_id, b"")
            return await received.complete
    except BaseException:
        if not received.over:
            connection.give_up()
        raise


class Received:
    """A response as it comes (``messages.Receiver``).

    Attributes:
        complete: Its head and content.
        over: Whether nothing more comes.
    """

    for_page = False

    def __init__(self, connection: UpstreamConnection) -> None:
        self.complete: asyncio.Future[tuple[ResponseHead, bytes]] = (
            asyncio.get_running_loop().create_future()
        )
        self.over = False
        self._connection = connection
        self._head: ResponseHead | None = None
        self._content = bytearray()

    def on_interim(self, head: ResponseHead) -> None:
        """Of no interest."""

    def on_head(self, head: ResponseHead) -> None:
        self._head = head

    def on_content(self, data: bytes) -> None:
        self._content += data

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        """Not requested."""

    def on_pause(self) -> None:
        if len(self._content) > MAX_CACHED_FILE_BYTES and not self.over:
            self._connection.give_up()
            self.on_failure(UpstreamGarbage("the file is larger than its head says"))

    def on_end(self) -> None:
        self.over = True
        assert self._head is not None, "a response ends after its head"
        if not self.complete.done():
            self.complete.set_result((self._head, bytes(self._content)))

    def on_failure(self, error: Exception) -> None:
        self.over = True
        if not self.complete.done():
            self.complete.set_exception(error.with_traceback(None))

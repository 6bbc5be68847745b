"""The upstream that is this process: an aiohttp application behind socketpairs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.tasks import spawn

if TYPE_CHECKING:
    from aiohttp import web

P = TypeVar("P", bound=asyncio.BaseProtocol)

START_DELAY_SECONDS = 1.0
"""Loading aiohttp earlier would delay the opening of the ports by milliseconds."""
SHUTDOWN_SECONDS = 0.5
ADDED_FIELDS, ADDED_BYTES = 16, 1024
"""Room for the fields that labgate adds to a request, such as X-Real-IP and Via."""


class InProcessUpstream:
    """Serves an application to this process alone: there is no port and no path to connect to.

    It starts with the first connection, or ``START_DELAY_SECONDS`` after ``start_soon``.

    Args:
        make_app: Makes the web application, as soon as aiohttp is loaded.
        limits: Those of labgate's own parser; aiohttp's are no narrower.
    """

    def __init__(
        self, make_app: Callable[[], web.Application], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._make_app = make_app
        self._limits = limits
        self._runner: web.AppRunner | None = None
        self._starting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def __str__(self) -> str:
        return "labgate's web application"

    def start_soon(self) -> None:
        """Start in the background, some time after the ports have opened."""
        self._timer = asyncio.get_running_loop().call_later(START_DELAY_SECONDS, self._begin)

    def _begin(self) -> asyncio.Task[None]:
        failed = self._starting is not None and self._starting.done() and self._runner is None
        if self._starting is None or failed:
            self._starting = spawn(self._start(), "web application")
        return self._starting

    async def _start(self) -> None:
        # 0.1 to 0.5 s, in which everything else goes on.
        await run_in_daemon_thread("aiohttp", lambda: import_module("aiohttp.web"))
        from aiohttp import web  # noqa: PLC0415  see above

        # The forwarding side writes the access log, and drains.
        runner = web.AppRunner(
            self._make_app(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
            auto_decompress=False,
            # No stricter than labgate's own parser.
            max_line_size=self._limits.request_line + ADDED_BYTES,
            max_field_size=self._limits.head + ADDED_BYTES,
            max_headers=self._limits.fields + ADDED_FIELDS,
        )
        await runner.setup()
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and run the web application's clean-up."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._runner is not None:
            await self._runner.cleanup()

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        """Connect a protocol that ``factory`` makes to the web application.

        Raises:
            OSError: The web application did not start or has stopped, or there are no descriptors
                left for a socketpair.
        """
        if not self._stopped and self._runner is None:
            # Cancelling this wait must not cancel the start, for which others may wait.
            await asyncio.wait({self._begin()})
        server = self._runner.server if self._runner is not None else None
        if server is None:
            raise OSError("it is not running")
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        try:
            await loop.connect_accepted_socket(server, far)
            return await loop.create_unix_connection(factory, sock=near)
        except BaseException:
            # The other end is its transport's, which closes it after this one.
            near.close()
            raise

"""Kept-alive connections to an upstream, taken last in, first out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Set
from time import monotonic
from typing import Protocol, TypeVar

from proxy.errors import UpstreamDown
from proxy.http1.client_connection import UpstreamConnection
from proxy.runtime.tasks import yielding_to_others

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Upstream(Protocol):
    """Whatever can be connected to; its text names it in errors."""

    async def connect(self, factory: Callable[[], P], /) -> tuple[asyncio.BaseTransport, P]:
        """Connect a protocol that ``factory`` makes.

        Raises:
            OSError: With the reason.
        """


class Pool:
    """Idle connections to one upstream; busy ones belong to their exchange.

    There is no limit on busy connections: Jupyter's long polls and downloads would
    otherwise starve everything behind them.
    """

    def __init__(
        self,
        upstream: Upstream | None,
        *,
        connect_timeout_seconds: float = 5.0,
        idle_connections: int = 64,
        idle_seconds: float = 30.0,
        head_seconds: float = 60.0,
        response_seconds: float = 0.0,
    ) -> None:
        self._upstream = upstream
        self._connect_timeout = connect_timeout_seconds
        self._limit = idle_connections
        self._idle_seconds = idle_seconds
        self._head_seconds = head_seconds
        self._response_seconds = response_seconds
        self._open: set[UpstreamConnection] = set()
        self._idle: deque[tuple[UpstreamConnection, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Pool {self._upstream} idle={len(self._idle)}>"

    @property
    def connections(self) -> int:
        """How many are open, idle or busy; tunnels are no longer among them."""
        return len(self._open)

    @property
    def open(self) -> Set[UpstreamConnection]:
        """Those that are."""
        return self._open

    def move(self, upstream: Upstream) -> None:
        """From now on connect to ``upstream``."""
        self.close()
        for connection in self._open:
            connection.retired = True
        self._upstream = upstream

    def take(self) -> UpstreamConnection | None:
        """The idle connection used last, if there is one."""
        now = monotonic()
        while self._idle:
            connection, since = self._idle.pop()
            if connection.quiet and now - since < self._idle_seconds:
                return connection
            connection.abort()
        return None

    async def dial(self) -> UpstreamConnection:
        """Open a new connection.

        Raises:
            UpstreamDown: With the reason.
        """
        upstream = self._upstream
        if upstream is None:
            raise UpstreamDown("Jupyter is being started")
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await upstream.connect(self._make)
        except TimeoutError:
            seconds = f"{self._connect_timeout:g}"
            raise UpstreamDown(f"{upstream} did not accept within {seconds} s") from None
        except OSError as error:
            raise UpstreamDown(f"{upstream}: {error.strerror or error}") from None
        if connection.usable:
            self._open.add(connection)
        return connection

    async def check_times(self) -> None:
        """Fail the answers that take too long to begin; call it twice a second."""
        async for connection in yielding_to_others(self._open):
            connection.check_time(monotonic(), self._head_seconds, self._response_seconds)

    def close(self) -> None:
        """Close every idle connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            self._idle.pop()[0].abort()

    def _make(self) -> UpstreamConnection:
        return UpstreamConnection(self._released)

    def _released(self, connection: UpstreamConnection, reusable: bool) -> None:
        """An exchange is over, or a connection was lost."""
        if not reusable:
            self._open.discard(connection)
            if self._idle:
                self._idle = deque(entry for entry in self._idle if entry[0] is not connection)
            return
        if len(self._idle) >= self._limit:
            connection.abort()
            return
        self._idle.append((connection, monotonic()))
        if self._timer is None:
            self._expire_in(self._idle_seconds)

    def _expire_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = monotonic()
        while self._idle and now - self._idle[0][1] >= self._idle_seconds:
            self._idle.popleft()[0].abort()
        if self._idle:
            self._expire_in(self._idle[0][1] + self._idle_seconds - now)

"""The connections to an upstream, kept open for the requests that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Set
from time import monotonic
from typing import Protocol, TypeVar
from weakref import WeakSet

from proxy.errors import UpstreamDown, UpstreamError
from proxy.http1.client_connection import UpstreamConnection
from proxy.net.upstream_watch import UpstreamWatch
from proxy.proxying.pool_rules import IdleLimits, may_have_ended, next_check, to_close, to_take
from proxy.runtime.tasks import yielding_to_others

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Upstream(Protocol):
    """An address to connect to; ``str`` of it names it in errors."""

    async def connect(self, factory: Callable[[], P], /) -> tuple[asyncio.BaseTransport, P]:
        """Connect a protocol that ``factory`` makes.

        Raises:
            OSError: With the reason.
        """


class Pool:
    """The connections to one upstream: idle ones to take, and those that carry a request.

    It does what ``pool_rules`` decide. There is no limit on busy connections: Jupyter's long
    polls and downloads would otherwise starve everything behind them.

    Args:
        upstream: What to connect to; None until that is known.
        connect_timeout_seconds: From a dial to the connection.
        idle_connections: How many may be idle.
        idle_seconds: How long each may be idle.
        head_seconds: From the first byte of a response's head to its last.
        response_seconds: From the end of a request to its response's head; 0 for any time.
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
        self._ended: UpstreamError | None = None
        self.change(
            connect_timeout_seconds=connect_timeout_seconds,
            idle_connections=idle_connections,
            idle_seconds=idle_seconds,
            head_seconds=head_seconds,
            response_seconds=response_seconds,
        )
        self._open: set[UpstreamConnection] = set()
        self._idle: dict[UpstreamConnection, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        # A Hub's proxy has a pool for each user and watches none: a set takes 0.8 KB.
        self._watches: WeakSet[UpstreamWatch] | None = None

    def change(
        self,
        *,
        connect_timeout_seconds: float,
        idle_connections: int,
        idle_seconds: float,
        head_seconds: float,
        response_seconds: float,
    ) -> None:
        """Use other times and numbers from now on; the arguments are those of ``Pool``."""
        self._connect_timeout = connect_timeout_seconds
        self._limits = IdleLimits(idle_connections, idle_seconds)
        self._head_seconds = head_seconds
        self._response_seconds = response_seconds

    def __repr__(self) -> str:
        return f"<Pool {self._upstream} idle={len(self._idle)}>"

    @property
    def connections(self) -> int:
        """How many are open, idle or busy; tunnels are no longer among them."""
        return len(self._open)

    @property
    def idle(self) -> int:
        """How many of these are idle."""
        return len(self._idle)

    @property
    def open(self) -> Set[UpstreamConnection]:
        """The open connections, idle or busy."""
        return self._open

    def move(self, upstream: Upstream) -> None:
        """From now on connect to ``upstream``."""
        self.retire()
        self._upstream = upstream

    def retire(self) -> None:
        """Carry no request after those in progress."""
        self.close()
        for connection in self._open:
            connection.retired = True
        self._upstream = None
        self._end_watches()

    def end(self, error: UpstreamError) -> None:
        """Fail every request with ``error``, also one whose connection is being opened."""
        self.retire()
        self._ended = error
        for connection in list(self._open):
            connection.fail(error)

    def take(self) -> UpstreamConnection | None:
        """An idle connection, if there is one to be used."""
        idle, now = self._idle, monotonic()
        while (connection := to_take(idle, now, self._limits)) is not None:
            del idle[connection]
            if connection.quiet:
                return connection
            # Jupyter has ended it, or says what nobody has asked for.
            connection.abort()
            self._end_watches()
        if idle:
            self._close_expired()
        return None

    async def dial(self) -> UpstreamConnection:
        """Open a new connection.

        Raises:
            UpstreamDown: With the reason.
            UpstreamError: The one of ``end``.
        """
        upstream, connection = await self._connect(self._make)
        if self._ended is not None:
            connection.abort()
            raise self._ended
        # If the upstream moved during the dial, use this connection for one request only.
        connection.retired = upstream is not self._upstream
        if connection.usable:
            self._open.add(connection)
        return connection

    async def watch(self, on_lost: Callable[[], None]) -> UpstreamWatch:
        """Open a connection that carries nothing.

        Args:
            on_lost: Called once when the upstream ends it or any other connection, when it does
                not take a new one, or when there is another upstream.

        Raises:
            UpstreamDown: With the reason.
        """
        upstream, watch = await self._connect(lambda: UpstreamWatch(on_lost))
        if upstream is not self._upstream:
            watch.close()
            raise UpstreamDown("Jupyter has moved")
        if self._watches is None:
            self._watches = WeakSet()
        self._watches.add(watch)
        return watch

    async def _connect(self, factory: Callable[[], P]) -> tuple[Upstream, P]:
        upstream = self._upstream
        if upstream is None:
            raise UpstreamDown("Jupyter is being started")
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connected = await upstream.connect(factory)
        except OSError as error:
            if upstream is self._upstream and may_have_ended(error):
                self._end_watches()
            if isinstance(error, TimeoutError):
                seconds = f"{self._connect_timeout:g}"
                raise UpstreamDown(f"{upstream} did not accept within {seconds} s") from None
            raise UpstreamDown(f"{upstream}: {error.strerror or error}") from None
        return upstream, connected

    def _end_watches(self) -> None:
        """What they watch may have ended, or is elsewhere."""
        for watch in tuple(self._watches or ()):
            watch.end()

    async def check_times(self) -> None:
        """Fail the requests whose responses take too long to begin; call it twice a second."""
        async for connection in yielding_to_others(self._open):
            connection.check_time(monotonic(), self._head_seconds, self._response_seconds)

    def close(self) -> None:
        """Close every idle connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close(list(self._idle))

    def _make(self) -> UpstreamConnection:
        return UpstreamConnection(self._released)

    def _released(self, connection: UpstreamConnection, reusable: bool) -> None:
        """A response is complete, or a connection was lost."""
        if not reusable:
            self._open.discard(connection)
            self._idle.pop(connection, None)
            if connection.wanted and not connection.retired:
                self._end_watches()
            return
        self._idle[connection] = monotonic()
        # With fewer connections the running timer closes the oldest in time.
        if self._timer is None or len(self._idle) > self._limits.connections:
            self._close_expired()

    def _close_expired(self) -> None:
        now = monotonic()
        self._close(to_close(self._idle, now, self._limits))
        at = next_check(self._idle, self._limits)
        if self._timer is None and at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(at - now, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._close_expired()

    def _close(self, connections: Iterable[UpstreamConnection]) -> None:
        for connection in connections:
            del self._idle[connection]
            connection.abort()

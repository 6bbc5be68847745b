"""The accepting side: the public ports, the listeners on them, and the servers behind these.

Tested by tests/test_edge.py, tests/test_app.py and tests/e2e/test_reload.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from proxy.messages import Dispatch
from proxy.net.limits import ConcurrencyLimit, Limits, new_connection_limit
from proxy.net.listener import Listener, listen
from proxy.net.ports import BACKLOG, Ports
from proxy.rules.networks import NO_NETWORKS, Networks

if TYPE_CHECKING:
    from proxy.config.settings import Settings
    from proxy.http1.server import Http1Server
    from proxy.web.front.server import AiohttpServer

SHUTDOWN_SECONDS = COUNT_SECONDS = 0.5
LAST_REQUEST_SECONDS = 0.5
"""How long an idle connection may send a last request while another process accepts."""


class Edge:
    """Accepts connections on every public port.

    Args:
        main: Serves the connections of the main port.
        plain: Serves those of the port that redirects there.
        connection_limit: Counts the connections of both.
        senders: Whose connections begin with a header of the PROXY protocol.
    """

    def __init__(
        self,
        main: Http1Server | AiohttpServer,
        plain: Http1Server | AiohttpServer,
        connection_limit: ConcurrencyLimit,
        senders: Networks = NO_NETWORKS,
    ) -> None:
        self._main, self._plain = main, plain
        self._connection_limit = connection_limit
        self._senders = senders
        self._listeners: list[Listener | asyncio.Server] = []
        self._for_others: dict[int, Listener | asyncio.Server] = {}
        self._context: ssl.SSLContext | None = None
        self.ports = Ports([], [])
        """The open ones."""
        self._left_to_others = False

    @classmethod
    def of(cls, settings: Settings, dispatch: Dispatch) -> Self:
        """With the servers that the configuration names.

        Args:
            settings: The configuration.
            dispatch: Takes every request.
        """
        from proxy.builders import build_server  # noqa: PLC0415  a Hub's proxy has no settings

        trusted = Networks(settings.access.trusted_proxies)
        limits = _limits_of(settings)
        limit = new_connection_limit(limits, trusted)
        main, plain = (
            build_server(settings, dispatch, limits, limit, plain_redirects=redirects)
            for redirects in (False, True)
        )
        return cls(main, plain, limit, _proxy_protocol_senders(settings))

    @property
    def connections(self) -> int:
        """How many are open on all ports, pending ones too."""
        return len(self._connection_limit)

    @property
    def refused_heads(self) -> Counter[tuple[str, int]]:
        """How many requests were refused before there was a head, by rule and status."""
        return self._main.refused_heads.counts + self._plain.refused_heads.counts

    async def open(self, ports: Ports, context: ssl.SSLContext | None) -> None:
        """Accept connections.

        Args:
            ports: The sockets; they are this object's from here on.
            context: For the main port; None serves plain HTTP there.
        """
        self.ports, self._context = ports, context
        for listening in ports.main:
            await self._listen(self._main, listening, context)
        for listening in ports.plain:
            await self._listen(self._plain, listening, None)

    async def accept_for_others(self, vacant: Collection[int]) -> None:
        """Accept on these of ``ports.others``, whose worker does not, and on no more of them.

        Args:
            vacant: The descriptors of sockets; other sockets than those of others are ignored.
        """
        for descriptor in self._for_others.keys() - set(vacant):
            _stop_accepting(self._for_others.pop(descriptor))
        self._listeners = [one for one in self._listeners if one.is_serving()]
        others = self.ports.others
        if others is None:
            return
        for server, sockets, context in (
            (self._main, others.main, self._context),
            (self._plain, others.plain, None),
        ):
            for theirs in sockets:
                if (descriptor := theirs.fileno()) in vacant and descriptor not in self._for_others:
                    listener = await self._listen(server, theirs.dup(), context)
                    self._for_others[descriptor] = listener
                    if theirs.fileno() < 0:
                        _stop_accepting(listener)  # This process has begun to end meanwhile.

    async def _listen(
        self,
        server: Http1Server | AiohttpServer,
        listening: socket.socket,
        context: ssl.SSLContext | None,
    ) -> Listener | asyncio.Server:
        listener = await listen(server, listening, context, BACKLOG, self._senders)
        self._listeners.append(listener)
        return listener

    def change(self, settings: Settings) -> None:
        """Use the limits and trusted proxies of another configuration from now on."""
        limits = _limits_of(settings)
        self._connection_limit.change(
            limits.connections,
            limits.connections_per_address,
            Networks(settings.access.trusted_proxies),
        )
        for server in self._servers:
            server.change_limits(limits)
        self._senders = _proxy_protocol_senders(settings)
        for listener in self._listeners:
            if isinstance(listener, Listener):
                listener.proxy_protocol_senders = self._senders

    def dispatch_to(self, dispatch: Dispatch) -> None:
        """Give it every request that comes from now on, also those of open connections."""
        for server in self._servers:
            server.dispatch_to(dispatch)

    async def enforce_timeouts(self) -> None:
        """End the connections that take too long; call it twice a second."""
        for listener in self._listeners:
            if isinstance(listener, Listener):
                await listener.enforce_timeouts()
        for server in self._servers:
            await server.enforce_timeouts()

    def leave_to_others(self) -> None:
        """Accept nothing new: another process does that on the same sockets.

        No request is lost: handshakes go on, and an idle connection may bring one request more.
        Its response closes it.
        """
        self._left_to_others = True
        for listener in self._listeners:
            _stop_accepting(listener)
        self._close_others()
        for server in self._servers:
            server.drain(keep_idle=True)

    async def wait_for_clients(self, seconds: float | None, force: asyncio.Event) -> None:
        """Wait until no client is connected, ``seconds`` at most, or until ``force`` is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.connections and not force.is_set():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(COUNT_SECONDS):
                            await force.wait()

    async def drain(self, force: asyncio.Event | None = None) -> None:
        """Accept nothing new; idle connections are closed, the others after their response.

        Args:
            force: Ends the wait when it is set.
        """
        if self.ports.given or self._left_to_others:
            self.leave_to_others()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_REQUEST_SECONDS):
                    await (force or asyncio.Event()).wait()
        for listener in self._listeners:
            listener.close()
        self._close_others()
        for server in self._servers:
            server.drain()

    async def shut_down(self) -> None:
        """End every connection; a response that is not complete is truncated."""
        for server in self._servers:
            await server.shutdown(timeout=SHUTDOWN_SECONDS)

    def _close_others(self) -> None:
        """Close the sockets of others here: as long as one is open, connections wait in it."""
        if self.ports.others is not None:
            self.ports.others.close()

    @property
    def _servers(self) -> tuple[Http1Server | AiohttpServer, ...]:
        return self._main, self._plain


def _stop_accepting(listener: Listener | asyncio.Server) -> None:
    """Have it accept nothing new; pending connections continue."""
    if isinstance(listener, Listener):
        listener.stop_accepting()
    else:
        listener.close()


def _limits_of(settings: Settings) -> Limits:
    from proxy.builders import fit_to_descriptors  # noqa: PLC0415  as above

    return fit_to_descriptors(Limits(**settings.limits.model_dump()), settings)


def _proxy_protocol_senders(settings: Settings) -> Networks:
    access = settings.access
    return Networks(access.trusted_proxies) if access.proxy_protocol else NO_NETWORKS

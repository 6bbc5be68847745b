"""Every exchange of every listener: who is under way, and who is told of the end.

Tested by tests/proxying/test_request_handler.py and tests/proxying/test_crowds.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from proxy.messages import RequestBody, RequestInProgress, Responder
from proxy.observe.record import NO_OBSERVERS, Observer, Observers, Record
from proxy.proxying.decision_cache import DecisionCache
from proxy.proxying.request_handler import handle
from proxy.proxying.router import Route, Router
from proxy.proxying.tunnel import OpenTunnel
from proxy.rules.client import with_client_address
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class Dispatcher:
    """Takes every request of every listener from its head to the end of its answer.

    Attributes:
        router: Chooses where a request goes.
        tunnels: The WebSockets that are open.
        cache: Remembers decisions and serialised heads.
        observers: Called at the start, the head and the end of every exchange.
        access_log: Every exchange gets a line there, so what went wrong needs none beside it.
        trace: Keep what the rules change, for ``--show-headers``.
        under_way: How many are, tunnels included.
        draining: Whether somebody waits for their end.
    """

    def __init__(
        self,
        router: Router,
        observers: Observers = NO_OBSERVERS,
        *,
        access_log: bool = False,
        trace: bool = False,
    ) -> None:
        self.router = router
        self.cache = DecisionCache()
        self.tunnels: set[OpenTunnel] = set()
        self.access_log = access_log
        self.trace = trace
        self.under_way = 0
        self._rejections = LogThrottle()
        self._refused_crowd = LogThrottle()
        self.draining = False
        self._drained: asyncio.Event | None = None
        self.observers = observers

    def __call__(
        self, head: RequestHead, body: RequestBody, responder: Responder
    ) -> RequestInProgress:
        """Respond to one request now, or start what will (``messages.Dispatch``)."""
        if self.router.behind_proxies:
            head = with_client_address(head, self.router.site.trusted_proxies)
        self.under_way += 1
        return handle(self, head, body, responder)

    def log_rejection(self, peer: str, route: Route) -> None:
        """Log that a client's request exceeded the limit, without a line for each of a flood."""
        if (more := self._rejections.due(monotonic())) is None:
            return
        limit = "limits.requests" if route.limit.full else "limits.requests_per_address"
        if route.internal:
            limit = "labgate's own paths"
        message = "too many requests at once (%s): 503 for %s, %d more since then"
        log.warning(message, limit, peer, more)

    def refusals_held_back(self, refusal: Refuse) -> int | None:
        """None if this refusal gets no line: a crowd that is shut out gets one now and then.

        Otherwise how many got none since the last one that did.
        """
        return self._refused_crowd.due(monotonic()) if refusal.status == 429 else 0

    def opened(self, tunnel: OpenTunnel) -> None:
        """One has become a tunnel: a drain does not wait for it."""
        self.tunnels.add(tunnel)
        self.check_drained()

    def check_drained(self) -> None:
        """Call it when there is one less: ``finished`` may wait for it."""
        if self._drained is not None and self.under_way <= len(self.tunnels):
            self._drained.set()

    def notify(self, observers: Sequence[Observer], record: Record) -> None:
        """Call every one of them."""
        for observe in observers:
            try:
                observe(record)
            except OSError as error:
                # A full disk under the log is no reason to spoil an answer.
                log.error("cannot record a request: %s", error.strerror or error)

    async def finished(self) -> None:
        """Wait until nothing but tunnels is under way."""
        self.draining, self._drained = True, asyncio.Event()
        if self.under_way > len(self.tunnels):
            await self._drained.wait()

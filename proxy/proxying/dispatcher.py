"""Every exchange of every listener: who is under way, and who is told of the end.

Tested by tests/proxying/test_request_handler.py and tests/proxying/test_crowds.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from proxy.access.access_control import AccessControl
from proxy.messages import RequestBody, RequestInProgress, Responder
from proxy.net.limits import DEFAULT_LIMITS, ConcurrencyLimit, new_request_limit
from proxy.observe.record import NO_OBSERVERS, Observer, Observers, Record
from proxy.proxying.decision_cache import DecisionCache
from proxy.proxying.outage import Outage
from proxy.proxying.pool import Pool
from proxy.proxying.request_handler import handle
from proxy.proxying.tunnel import Tunnel as OpenTunnel
from proxy.rules.client import with_client_address
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.rules.site import Site
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class Dispatcher:
    """Takes every request of every listener from its head to the end of its answer.

    Attributes:
        site: The policy's configuration; exchanges under way keep theirs (``use``).
        application_site: The same for labgate's own application.
        tunnels: The WebSockets that are open.
        access_control: Decides who may reach Jupyter; None lets everybody.
        pool: The connections to Jupyter.
        application: The connections to labgate's own application.
        cache: Remembers decisions and serialised heads.
        observers: Called at the start, the head and the end of every exchange.
        outage: Tells when Jupyter goes away and comes back.
        limit: How many may be forwarded at once; a tunnel is not counted any more.
        access_log: Every exchange gets a line there, so what went wrong needs none beside it.
        trace: Keep what the rules change, for ``--show-headers``.
        under_way: How many are, tunnels included.
    """

    def __init__(
        self,
        site: Site,
        pool: Pool,
        application: Pool,
        observers: Observers = NO_OBSERVERS,
        *,
        access_log: bool = False,
        trace: bool = False,
        limit: ConcurrencyLimit | None = None,
    ) -> None:
        self.use(site)
        self.cache = DecisionCache()
        self.tunnels: set[OpenTunnel] = set()
        self.access_control: AccessControl | None = None
        self.access_log = access_log
        self.trace = trace
        self.pool = pool
        self.application = application
        self.under_way = 0
        self.outage = Outage()
        self.limit = limit if limit is not None else new_request_limit(DEFAULT_LIMITS)
        self._turned_away = LogThrottle()
        self._refused_crowd = LogThrottle()
        self._idle: asyncio.Event | None = None
        self.observers = observers

    def use(self, site: Site) -> None:
        """From the next request on, this is the site."""
        self.site = site
        self.application_site = site.for_application()
        self._behind_proxies = bool(site.trusted_proxies)

    def __call__(
        self, head: RequestHead, body: RequestBody, responder: Responder
    ) -> RequestInProgress:
        """Respond to one request now, or start what will (``messages.Dispatch``)."""
        if self._behind_proxies:
            head = with_client_address(head, self.site.trusted_proxies)
        self.under_way += 1
        return handle(self, head, body, responder)

    def turned_away(self, peer: str) -> None:
        """Tell of a client that got no slot, without a line for each request of a flood."""
        if (more := self._turned_away.due(monotonic())) is not None:
            key = "requests" if self.limit.full else "requests_per_address"
            said = "too many requests under way (limits.%s): 503 for %s, %d more since then"
            log.warning(said, key, peer, more)

    def refusals_held_back(self, refusal: Refuse) -> int | None:
        """None if this refusal gets no line: a crowd that is shut out gets one now and then.

        Otherwise how many got none since the last one that did.
        """
        return self._refused_crowd.due(monotonic()) if refusal.status == 429 else 0

    def over(self, record: Record) -> None:
        """One has ended."""
        self.under_way -= 1
        self._look_idle()
        if self.observers.end:
            self.notify(self.observers.end, record)

    def opened(self, tunnel: OpenTunnel) -> None:
        """One has become a tunnel: a drain does not wait for it."""
        self.tunnels.add(tunnel)
        self._look_idle()

    def _look_idle(self) -> None:
        if self._idle is not None and self.under_way <= len(self.tunnels):
            self._idle.set()

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
        self._idle = asyncio.Event()
        if self.under_way > len(self.tunnels):
            await self._idle.wait()

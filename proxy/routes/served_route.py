"""One Jupyter behind labgate, with everything that belongs to it alone.

Tested by tests/routes/test_served_routes.py and tests/test_app.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from proxy.access.access_control import AccessControl
from proxy.builders import (
    UNKNOWN_UPSTREAM,
    build_router,
    build_site,
    build_static_cache,
    change_jupyter_pool,
)
from proxy.config.routes import RouteConfiguration
from proxy.config.settings import Settings
from proxy.errors import UpstreamRemoved
from proxy.jupyter.readiness import is_silent
from proxy.net.limits import Limits
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.traffic import Traffic
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.page_deadline import PageDeadline
from proxy.proxying.pool import Pool
from proxy.proxying.services import Services
from proxy.routes.probes import route_answers
from proxy.rules.networks import Networks
from proxy.web_app_upstream import WebAppUpstream


class ServedRoute:
    """One route and its parts; without a Jupyter only labgate responds there.

    Attributes:
        configuration: In force.
        address: Where Jupyter is; None if that is not known yet.
        pool: The connections to it.
        router: Chooses between Jupyter and labgate's own web application.
        dispatcher: Takes its requests.
        traffic: Counts them; None without metrics.

    Args:
        settings: The configuration as a whole.
        route: That of the route.
        any_answers: Whether a Jupyter of any route answers; used if this route has none.
    """

    def __init__(
        self,
        settings: Settings,
        route: RouteConfiguration,
        any_answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self.configuration = route
        self.address = route.address
        self.traffic = Traffic() if settings.listen.metrics else None
        limits = Limits(**settings.limits.model_dump())
        self.pool = Pool(route.address)
        ready = any_answers if route.upstream is None else self.answers
        self._web_app = WebAppUpstream(
            settings, limits, ready, lambda: self.router.jupyter.access_control
        )
        self.router = build_router(settings, route, limits, self.pool, self._web_app.pool)
        self._static_cache = build_static_cache(settings, route, self.pool)
        self.router.keep_files(self._static_cache)
        self.dispatcher = Dispatcher(self.router)
        self.open_requests.ping_seconds = settings.listen.ping_seconds
        if route.upstream is not None:
            change_jupyter_pool(self.pool, route.upstream)
        self._page_deadline = self._new_page_deadline()
        if route.address is not None:
            self.router.use(build_site(settings, route, route.address))

    @property
    def name(self) -> str:
        """Its name in metrics, ``status`` and the log."""
        return self.configuration.name

    @property
    def services(self) -> Services:
        """What the handlers of its requests use."""
        return self.dispatcher.services

    @property
    def open_requests(self) -> OpenRequests:
        """Its requests in progress."""
        return self.services.open_requests

    async def answers(self) -> bool:
        """Whether its Jupyter answers."""
        return await route_answers(self.configuration, self.address)

    def start(self) -> None:
        """Start the background work."""
        self._web_app.start_soon()
        if self._static_cache is not None:
            self._static_cache.start()

    def connect_to(self, settings: Settings, address: UpstreamAddress) -> None:
        """Forward to ``address``, whether Jupyter is ready there or not."""
        self.address = address
        self.pool.move(address)
        self.router.use(build_site(settings, self.configuration, address))

    def change(
        self,
        settings: Settings,
        route: RouteConfiguration,
        access_control: AccessControl | None,
    ) -> None:
        """Use another configuration from the next request on; what is open lives on."""
        self.configuration = route
        self.router.rename(route.name if settings.routes else "")
        self.router.protect(access_control)
        limits = Limits(**settings.limits.model_dump())
        self.router.change_limits(limits, Networks(settings.access.trusted_proxies))
        self.open_requests.ping_seconds = settings.listen.ping_seconds
        if route.upstream is not None:
            change_jupyter_pool(self.pool, route.upstream)
        self._page_deadline = self._new_page_deadline()
        self._web_app.change(settings)
        if route.address is not None and route.address != self.address:
            self.connect_to(settings, route.address)
        else:
            self.router.use(build_site(settings, route, self.address or UNKNOWN_UPSTREAM))

    async def check_upstreams(self) -> None:
        """Fail requests that wait too long for Jupyter; call it twice a second."""
        for route in self.router.routes:
            await route.pool.check_times()
        self._page_deadline.look(monotonic())

    def cut_tunnels(self) -> None:
        """Abort every WebSocket without a close frame, so that Lab tries to come back."""
        for tunnel in list(self.open_requests.tunnels):
            tunnel.abort()

    async def retire(self, seconds: float) -> None:
        """End it while others go on: its WebSockets now, its requests within ``seconds``."""
        self.pool.retire()
        self.cut_tunnels()
        await self.open_requests.drain(seconds)
        self.pool.end(UpstreamRemoved("its route was removed"))
        self.cut_tunnels()
        await self.close()

    @property
    def files_folder(self) -> Path | None:
        """Where its static files are kept; None if they are not."""
        return self._static_cache.folder if self._static_cache is not None else None

    async def forget_files(self) -> None:
        """Remove its static files from the disk, after its end."""
        if self._static_cache is not None:
            await self._static_cache.forget_disk()

    async def close(self) -> None:
        """Close every connection to its Jupyter, when no client uses it any more."""
        if self._static_cache is not None:
            self._static_cache.close()
        self.services.compressor.close()
        self.pool.close()
        await self._web_app.stop()

    def _new_page_deadline(self) -> PageDeadline:
        upstream = self.configuration.upstream
        seconds = upstream.page_seconds if upstream is not None else 0.0
        return PageDeadline(self.pool, seconds, self._upstream_responds)

    async def _upstream_responds(self, seconds: float) -> bool:
        return self.address is not None and not await is_silent(self.address, seconds)


async def any_answers(routes: list[ServedRoute]) -> bool:
    """Whether the Jupyter of one route answers."""
    return any(await asyncio.gather(*(route.answers() for route in routes)))

"""Every route of an application: which one a request is for, and how they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic, time

from proxy.access.access_control import AccessControl
from proxy.builders import static_files_folder
from proxy.cache.disk_store import remove_unused
from proxy.config.routes import SITE, RouteConfiguration, route_configurations
from proxy.config.settings import Settings
from proxy.inspector.recorder import Recorder
from proxy.measures import Measures
from proxy.messages import Dispatch, RequestBody, RequestInProgress, Responder
from proxy.net.upstream_address import UpstreamAddress
from proxy.reporting import Reporting
from proxy.routes.logins import Logins
from proxy.routes.served_route import ServedRoute, any_answers
from proxy.rules.head import RequestHead
from proxy.rules.route_choice import RouteChoice
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.tasks import spawn


class ServedRoutes:
    """The routes of the configuration in force, and those that are about to end.

    Args:
        settings: The configuration.
        on_dispatch: Called with the new dispatcher when it changes.
    """

    def __init__(self, settings: Settings, on_dispatch: Callable[[Dispatch], None]) -> None:
        self._settings = settings
        self._on_dispatch = on_dispatch
        self._recorder: Recorder | None = None
        self._reporting: Reporting | None = None
        self._measures: Measures | None = None
        self._started = False
        self._removing: asyncio.Task[None] | None = None
        self._leaving: dict[ServedRoute, asyncio.Task[None]] = {}
        self._by_key: dict[str, ServedRoute] = {}
        for configuration in route_configurations(settings):
            self._by_key[configuration.key] = self._new(settings, configuration)
        self.dispatch = self._choose_dispatch()
        """Takes every request of clients."""

    def __iter__(self) -> Iterator[ServedRoute]:
        """Every route, those that are about to end too."""
        yield from self._by_key.values()
        yield from self._leaving

    @property
    def site(self) -> ServedRoute | None:
        """The site's own route; None if every Jupyter is in ``[[routes]]``."""
        return self._by_key.get(SITE)

    def observe(self, reporting: Reporting, measures: Measures) -> None:
        """Report and measure the requests of all routes, also of later ones."""
        self._reporting, self._measures = reporting, measures
        for route in self:
            reporting.observe(route.services, route.traffic)

    def prepare(self, settings: Settings, logins: Logins) -> Callable[[], None]:
        """Load the files of another configuration; call the result to put it into force.

        Raises:
            StartError: A file that it names cannot be used.
        """
        wanted: list[tuple[RouteConfiguration, AccessControl | None]] = []
        for configuration in route_configurations(settings):
            if configuration.address is not None:
                configuration.address.check()
            wanted.append((configuration, logins.access_control(configuration)))
        return partial(self._apply, settings, wanted)

    def start(self) -> None:
        """Start the background work."""
        self._started = True
        for route in self:
            route.start()
        if self._settings.cache.enabled:
            parent = static_files_folder(self._settings)
            remove = partial(remove_unused, parent, self._files_folders(), time())
            removing = run_in_daemon_thread("static files", remove)
            self._removing = spawn(removing, "static files of no route")

    def connect_to(self, address: UpstreamAddress) -> None:
        """Forward requests for the site to ``address``."""
        if self.site is not None:
            self.site.connect_to(self._settings, address)

    def use_recorder(self, recorder: Recorder | None) -> None:
        """Capture the requests that begin from now on, or none."""
        self._recorder = recorder
        for route in self:
            route.services.use_recorder(recorder)
        self._end_all_after_a_fault()

    async def check_upstreams(self) -> None:
        """Fail requests that wait too long for a Jupyter; call it twice a second."""
        for route in list(self):
            await route.check_upstreams()

    async def ping_silent(self) -> None:
        """Ping the clients of silent WebSockets; call it twice a second."""
        for route in list(self):
            await route.open_requests.ping_silent(monotonic())

    async def drain(self, seconds: float, force: asyncio.Event | None = None) -> None:
        """Wait until only WebSockets are open, ``seconds`` at most, or until ``force`` is set."""
        await asyncio.gather(*(route.open_requests.drain(seconds, force) for route in self))

    def cut_tunnels(self) -> None:
        """Abort every WebSocket."""
        for route in self:
            route.cut_tunnels()

    async def close(self) -> None:
        """Close every connection to a Jupyter."""
        for task in (self._removing, *self._leaving.values()):
            if task is not None:
                task.cancel()
        for route in list(self):
            await route.close()

    def _apply(
        self, settings: Settings, wanted: list[tuple[RouteConfiguration, AccessControl | None]]
    ) -> None:
        self._settings = settings
        before, self._by_key = self._by_key, {}
        for configuration, access_control in wanted:
            route = before.pop(configuration.key, None)
            if route is None or _is_another(route.configuration, configuration):
                if route is not None:
                    before[configuration.key] = route
                route = self._new(settings, configuration)
                if self._started:
                    route.start()
            self._by_key[configuration.key] = route
            route.change(settings, configuration, access_control)
        for gone in before.values():
            retiring = spawn(self._retire(gone, settings.listen.drain_seconds), "route: end")
            self._leaving[gone] = retiring
        self.dispatch = self._choose_dispatch()
        self._on_dispatch(self.dispatch)

    def _new(self, settings: Settings, configuration: RouteConfiguration) -> ServedRoute:
        route = ServedRoute(settings, configuration, self._any_answers)
        if self._reporting is not None:
            self._reporting.observe(route.services, route.traffic)
        if self._recorder is not None:
            route.services.use_recorder(self._recorder)
            self._end_all_after_a_fault()
        return route

    async def _retire(self, route: ServedRoute, seconds: float) -> None:
        try:
            await route.retire(seconds)
            # Meanwhile it may have come back.
            if route.files_folder not in self._files_folders():
                await route.forget_files()
        finally:
            self._leaving.pop(route, None)
            if self._measures is not None:
                self._measures.ended(route)
            if self._reporting is not None:
                self._reporting.forget(route.services)

    def _files_folders(self) -> set[Path | None]:
        return {route.files_folder for route in self._by_key.values()}

    async def _any_answers(self) -> bool:
        return await any_answers(list(self._by_key.values()))

    def _choose_dispatch(self) -> Dispatch:
        """With one route no request is looked at twice."""
        routes = list(self._by_key.values())
        if len(routes) == 1:
            return routes[0].dispatcher
        elsewhere = routes[-1]
        choice = RouteChoice(elsewhere.dispatcher)
        for route in routes[:-1]:
            choice.add(route.router.site, route.configuration.path, route.dispatcher)
        find = choice.find

        def dispatch(
            head: RequestHead, body: RequestBody, responder: Responder
        ) -> RequestInProgress:
            return find(head)(head, body, responder)

        return dispatch

    def _end_all_after_a_fault(self) -> None:
        """Make a fault end the capture of all routes.

        ``Services.use_recorder`` made it end that of one route only.
        """
        if self._recorder is not None:
            self._recorder.guard.switch_off = partial(self._record_no_more, self._recorder)

    def _record_no_more(self, faulty: Recorder) -> None:
        """Switch the capture off, unless another recorder has taken its place."""
        if self._recorder is faulty:
            self.use_recorder(None)


def _is_another(before: RouteConfiguration, after: RouteConfiguration) -> bool:
    """Whether the same name means something else: with a Jupyter or without, or by another path."""
    return (before.upstream is None, before.path, before.strip_prefix) != (
        after.upstream is None,
        after.path,
        after.strip_prefix,
    )

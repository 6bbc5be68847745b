"""Composition root: what is opened, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from proxy.certs.devca import development_pair
from proxy.certs.files import CertificatePair, letsencrypt_pair, load_pairs
from proxy.edge.exchange import Exchanges
from proxy.edge.limits import Guests, Limits
from proxy.edge.listener import BACKLOG, bind
from proxy.edge.local import OwnPaths
from proxy.edge.protocol import EdgeServer
from proxy.edge.tls import server_context
from proxy.inspector.headers import shown
from proxy.jupyter.readiness import answers
from proxy.observe import access
from proxy.observe.record import Observer, Record
from proxy.rules.model import Site, make_site
from proxy.settings import Settings
from proxy.tasks import spawn
from proxy.upstream.address import UpstreamAddress
from proxy.upstream.pool import Pool

log = logging.getLogger("labgate")

SWEEP_SECONDS = 1.0
UNKNOWN_UPSTREAM = UpstreamAddress("127.0.0.1", 8888)


class Application:
    """The proxy as one thing to start and stop.

    The order matters: certificates and ports first, because they fail fast and cost
    nothing; Jupyter's address may come later (``connect_to``), until then requests get
    503 and the waiting page.
    """

    def __init__(self, settings: Settings, *, access_log: bool) -> None:
        self._settings = settings
        upstream = settings.upstream
        self._pool = Pool(
            None,
            connect_timeout_seconds=upstream.connect_timeout_seconds,
            idle_connections=upstream.idle_connections,
            idle_seconds=upstream.idle_seconds,
        )
        observers: list[Observer] = [access.write_line] if access_log else []
        if settings.log.show_headers:
            observers.append(_print_headers)
        self._exchanges = Exchanges(
            site_of(settings, UNKNOWN_UPSTREAM),
            self._pool,
            OwnPaths(self._upstream_answers, settings.acme.webroot),
            observers,
            trace=settings.log.show_headers,
            most=settings.limits.requests,
        )
        self._limits = Limits(**settings.limits.model_dump())
        self._sweeping: asyncio.Task[None] | None = None
        self._servers: list[asyncio.Server] = []
        self._edges: list[EdgeServer] = []
        self.development = False

    async def start(self) -> None:
        """Open every port.

        Raises:
            StartError: A certificate or a port is not to be had.
        """
        settings = self._settings
        context = server_context(self._certificates()) if settings.listen.tls else None
        optional = () if settings.listen.bind else settings.bind
        main_port = settings.https_port if settings.listen.tls else settings.http_port
        main_flag = "--https-port" if settings.listen.tls else "--http-port"
        sockets = bind(settings.bind, main_port, main_flag, optional=optional)
        plain = []
        if settings.listen.tls and settings.http_port:
            try:
                flag = "--http-port (0 for none)"
                plain = bind(settings.bind, settings.http_port, flag, optional=optional)
            except BaseException:
                for opened in sockets:
                    opened.close()
                raise
        guests = Guests(self._limits)
        edge = EdgeServer(self._exchanges, limits=self._limits, guests=guests)
        redirects = EdgeServer(
            self._exchanges, limits=self._limits, guests=guests, plain_redirects=True
        )
        self._edges = [edge, redirects]
        self._sweeping = spawn(self._sweep(), "sweep")
        for listening in sockets:
            await self._serve(edge, listening, context)
        for listening in plain:
            await self._serve(redirects, listening, None)

    def connect_to(self, address: UpstreamAddress) -> None:
        """Jupyter is (going to be) at ``address``."""
        self._pool.move(address)
        self._exchanges.site = site_of(self._settings, address)

    async def stop(self, force: asyncio.Event | None = None) -> None:
        """Take nothing new, finish what is open within ``drain_seconds``, then cut.

        WebSockets are cut without a close frame: Lab reconnects after that, but not
        after a polite 1000 or 1001. ``force`` ends the wait early.
        """
        if self._sweeping is not None:
            self._sweeping.cancel()
        for server in self._servers:
            server.close()
        for edge in self._edges:
            edge.pre_shutdown()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._exchanges.finished())]
        if force is not None:
            waits.append(asyncio.ensure_future(force.wait()))
        seconds = self._settings.listen.drain_seconds
        _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        for tunnel in list(self._exchanges.tunnels):
            tunnel.abort()
        for edge in self._edges:
            await edge.shutdown(timeout=0.5)
        self._pool.close()

    async def _serve(
        self, edge: EdgeServer, listening: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()
        seconds = self._limits.handshake_seconds if context is not None else None
        server = await loop.create_server(
            edge,
            sock=listening,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=seconds,
        )
        self._servers.append(server)

    async def _sweep(self) -> None:
        """One timer for all connections costs a request nothing."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for edge in self._edges:
                edge.shed()

    def _certificates(self) -> list[CertificatePair]:
        """The configured pairs, certbot's, or development ones for localhost."""
        settings = self._settings
        hosts = list(dict.fromkeys(origin.host for origin in settings.origins))
        if settings.tls.cert:
            files = list(zip(settings.tls.cert, settings.tls.key, strict=True))
            return load_pairs(files, hosts)
        if settings.local:
            self.development = True
            return [development_pair(settings.state_folder, hosts)]
        files = [letsencrypt_pair(hosts[0])]
        # certbot keeps one folder a certificate, which may be for several names.
        files += [pair for host in hosts[1:] if (pair := letsencrypt_pair(host))[0].exists()]
        return load_pairs(files, hosts)

    async def _upstream_answers(self) -> bool:
        address = self._pool.address
        return address is not None and await answers(address)


def site_of(settings: Settings, upstream: UpstreamAddress) -> Site:
    """The rules' view of the configuration."""
    return make_site(
        settings.origins,
        upstream.origin,
        preserve=settings.site.rewrite == "preserve",
        canonical_redirect=settings.site.canonical_redirect,
        websocket_without_origin=settings.site.websocket_without_origin,
        base_path=upstream.base_path,
        challenges=settings.acme.webroot is not None,
    )


def _print_headers(record: Record) -> None:
    print(shown(record), flush=True)

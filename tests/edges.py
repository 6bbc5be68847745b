"""A labgate edge on a free loopback port, without TLS, and raw clients for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from proxy.http1.server import Http1Server
from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.ring import Ring
from proxy.net.limits import (
    DEFAULT_LIMITS,
    ConcurrencyLimit,
    Limits,
    new_request_limit,
    new_web_app_limit,
)
from proxy.net.listener import Listener
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.record import Observers, Record
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.rules.head import Field, RequestHead
from proxy.rules.site import Site, WebOrigin, make_site
from proxy.web.app import make_app
from proxy.web.in_process import InProcessUpstream
from tests.fronts import FRONTS, Mounted, front
from tests.http2.gateway import Gateway

PUBLIC = WebOrigin("https", "lab.example.org", 443)


class Edge:
    """A running edge; ``records`` are its finished requests, ``recorded`` is set by each.

    ``captured`` holds them as the inspector shows them, if the edge is inspected.
    """

    def __init__(
        self,
        port: int,
        server: Http1Server,
        dispatcher: Dispatcher,
        router: Router,
        pool: Pool,
        limit: ConcurrencyLimit,
        records: list[Record],
    ) -> None:
        self.port = port
        self.server = server
        self.dispatcher = dispatcher
        self.services = dispatcher.services
        self.open_requests = dispatcher.services.open_requests
        self.router = router
        self.pool = pool
        self.limit = limit
        self.records = records
        self.recorded = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []
        self.captured = Ring()

    def inspect(self, *, content: bool = True) -> Self:
        """Capture everything from now on, content too."""
        recorder = Recorder(self.captured, CaptureOptions(content=content))
        self.dispatcher.services.use_recorder(recorder)
        return self

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection; closed with the edge at the latest."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        self.writers.append(writer)
        return reader, writer

    async def ask(self, data: bytes) -> bytes:
        """Send raw bytes, read until labgate closes."""
        reader, writer = await self.connect()
        writer.write(data)
        answer = await reader.read()
        writer.close()
        return answer


def request(
    target: bytes = b"/", *fields: bytes, method: bytes = b"GET", content: bytes = b""
) -> bytes:
    """A raw request to the public name that ends its connection."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: lab.example.org", b"Connection: close"]
    return b"\r\n".join([*lines, *fields, b"", content])


@asynccontextmanager
async def edge(
    address: UpstreamAddress | None,
    *,
    site: Site | None = None,
    redirects: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    head_seconds: float = 60.0,
    response_seconds: float = 0.0,
    idle_connections: int = 64,
    idle_seconds: float = 30.0,
    challenge_folders: Sequence[Path] = (),
    upstream_answers: Callable[[], Awaitable[bool]] | None = None,
    application_seconds: float = 0.0,
    server_name: str = "",
) -> AsyncIterator[Edge]:
    """Run an edge for ``https://lab.example.org`` in front of ``address``.

    Its front is the run's (``tests.fronts``), or the one that ``server_name`` names.
    """
    pool = Pool(
        address,
        idle_connections=idle_connections,
        idle_seconds=idle_seconds,
        head_seconds=head_seconds,
        response_seconds=response_seconds,
    )
    records: list[Record] = []
    origin = address.origin if address is not None else WebOrigin("http", "127.0.0.1", 8888)

    async def ready() -> bool:
        return address is not None

    async def end_sessions(head: RequestHead) -> tuple[Field, ...]:
        access_control = router.jupyter.access_control
        assert access_control is not None, "a site that requires a login has one"
        return await access_control.log_out(head)

    application = InProcessUpstream(
        lambda: make_app(
            upstream_answers=upstream_answers or ready,
            challenge_folders=challenge_folders,
            end_sessions=end_sessions,
        )
    )
    application_pool = Pool(application, response_seconds=application_seconds)

    def observe(record: Record) -> None:
        records.append(record)
        running.recorded.set()

    site = site or make_site((PUBLIC,), origin)
    limit = new_request_limit(limits, site.trusted_proxies)
    router = Router(site, pool, application_pool, limit, new_web_app_limit(site.trusted_proxies))
    dispatcher = Dispatcher(router, Observers(end=(observe,)), trace=True)
    # Tests of http1/ look into its server, and run on no other front.
    server: Http1Server = FRONTS[server_name or front()](
        dispatcher, plain_redirects=redirects, limits=limits
    )
    if isinstance(server, (Mounted, Gateway)):
        await server.start()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    running = Edge(port, server, dispatcher, router, pool, limit, records)
    try:
        yield running
    finally:
        listening.close()
        for writer in running.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        for tunnel in list(running.open_requests.tunnels):
            tunnel.abort()
        await server.shutdown(timeout=0.5)
        pool.close()
        application_pool.close()
        await application.stop()


@asynccontextmanager
async def enforcing_timeouts(edge: Edge, listener: Listener | None = None) -> AsyncIterator[None]:
    """The application's sweep, without its pauses."""

    async def sweep() -> None:
        while True:
            if listener is not None:
                await listener.enforce_timeouts()
            await edge.server.enforce_timeouts()
            for route in edge.router.routes:
                await route.pool.check_times()
            await asyncio.sleep(0)

    sweeping = asyncio.ensure_future(sweep())
    try:
        yield
    finally:
        sweeping.cancel()

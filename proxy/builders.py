"""Makes the parts of an ``Application`` from the configuration."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import Revoke, RevokedSessions
from proxy.cache.disk_store import DiskStore
from proxy.cache.static_cache import StaticCache
from proxy.certs.acme.solvers import challenge_folder
from proxy.config.routes import RouteConfiguration, route_configurations
from proxy.config.sections import UpstreamSettings
from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.http1.server import Http1Server
from proxy.inspector.filters import FilterError, parse_filter
from proxy.inspector.headers import HeaderPrinter
from proxy.messages import Dispatch
from proxy.net.given_ports import ports_of
from proxy.net.limits import (
    WEB_APP_REQUESTS,
    ConcurrencyLimit,
    Limits,
    new_request_limit,
    new_web_app_limit,
)
from proxy.net.ports import Ports, bind
from proxy.net.upstream_address import UpstreamAddress
from proxy.proxying.pool import Pool, Upstream
from proxy.proxying.router import Router
from proxy.rules.compression import compressible_folders
from proxy.rules.networks import Networks
from proxy.rules.site import Site, make_site
from proxy.rules.stripped_prefix import StrippedPrefix
from proxy.runtime.descriptors import raise_descriptor_limit
from proxy.runtime.listen_fds import passed_sockets

if TYPE_CHECKING:
    from proxy.web.front.server import AiohttpServer

log = logging.getLogger("labgate")

UNKNOWN_UPSTREAM = UpstreamAddress("127.0.0.1", 8888)
"""Until labgate has launched Jupyter; nothing is forwarded before."""
WEB_APP_IDLE_CONNECTIONS = 8
WEB_APP_START_SECONDS = 60.0
"""aiohttp takes 0.4 s to load, and much longer on a busy machine."""
WEB_APP_RESPONSE_SECONDS = 10.0
"""labgate's web application takes 2 s at most, if Jupyter does not respond to its probe."""


@dataclass(frozen=True, slots=True)
class SharedResources:
    """Shared by the processes of ``--workers``; a single process makes its own.

    Attributes:
        ports: They listen already.
        lockout: Counts failed logins together with the other workers.
        session_key: Signs the session cookies.
        digest_key: Makes the digests that passwords are remembered by.
        revoked: The sessions that were ended.
        revoke: Ends a session in every worker.
    """

    ports: Ports
    lockout: Lockout
    session_key: bytes
    digest_key: bytes
    revoked: RevokedSessions
    revoke: Revoke


def fit_to_descriptors(limits: Limits, settings: Settings) -> Limits:
    """Lower the limit of connections to the available descriptors; warn if it was configured.

    More connections would wait in the kernel without a response. One address may have half of the
    lowered limit at most, so that others get in.
    """
    # A request for a path of labgate's own takes one more than a forwarded one, and an idle
    # connection to labgate's web application two.
    others = 0
    for route in route_configurations(settings):
        others += route.upstream.idle_connections if route.upstream is not None else 0
        others += WEB_APP_REQUESTS + 2 * WEB_APP_IDLE_CONNECTIONS
    fitting = raise_descriptor_limit(limits.connections, others)
    if fitting < limits.connections and "connections" in settings.limits.model_fields_set:
        log.warning(
            "limits.connections is %d, and there are descriptors for %d: raise what labgate may "
            "open (LimitNOFILE= in a service, ulimits of a container, ulimit -n in a shell)",
            limits.connections,
            fitting,
        )
    if fitting == limits.connections:
        return limits
    per_address = min(limits.connections_per_address, max(1, fitting // 2))
    return replace(limits, connections=fitting, connections_per_address=per_address)


def build_site(settings: Settings, route: RouteConfiguration, upstream: UpstreamAddress) -> Site:
    """The rules' view of the configuration, for the requests of one route."""
    stripped = None
    if route.strip_prefix:
        stripped = StrippedPrefix(route.path.encode(), upstream.base_path.encode())
    # An upstream behind a stripped prefix has none of Jupyter's paths.
    compressed = settings.compression.enabled and stripped is None
    return make_site(
        route.origins,
        upstream.origin,
        preserve=route.preserve,
        canonical_redirect=route.canonical_redirect,
        websocket_without_origin=route.websocket_without_origin,
        base_path=route.path if stripped is not None else upstream.base_path,
        challenges=settings.acme.webroot is not None
        or (settings.listen.tls and not settings.local),
        hsts_seconds=settings.hsts_seconds,
        allow=Networks(route.allow),
        trusted_proxies=Networks(settings.access.trusted_proxies),
        requires_login=route.htpasswd is not None,
        observe=settings.inspector.observe and route.upstream is not None,
        embed_in=tuple(origin.encode("ascii") for origin in route.embed_in),
        compressible=compressible_folders(upstream.base_path) if compressed else (),
        has_upstream=route.upstream is not None,
        folder=route.path.rstrip("/").encode(),
        stripped=stripped,
        refuse_dot_segments=route.refuse_dot_segments,
    )


def build_router(
    settings: Settings, route: RouteConfiguration, limits: Limits, jupyter: Pool, web_app: Pool
) -> Router:
    """The ways to Jupyter, whose address comes later (``Router.use``), and to ``web_app``."""
    trusted_proxies = Networks(settings.access.trusted_proxies)
    return Router(
        build_site(settings, route, UNKNOWN_UPSTREAM),
        jupyter,
        web_app,
        new_request_limit(limits, trusted_proxies),
        new_web_app_limit(trusted_proxies),
        name=route.name if settings.routes else "",
    )


def change_jupyter_pool(pool: Pool, upstream: UpstreamSettings) -> None:
    """Use the times and numbers of a configuration from now on."""
    pool.change(
        connect_timeout_seconds=upstream.connect_timeout_seconds,
        idle_connections=upstream.idle_connections,
        idle_seconds=upstream.idle_seconds,
        head_seconds=upstream.head_seconds,
        response_seconds=upstream.response_seconds,
    )


def build_static_cache(
    settings: Settings, route: RouteConfiguration, jupyter: Pool
) -> StaticCache | None:
    """The static files of one Jupyter that are kept; None if none are.

    Routes share the memory that is configured equally.
    """
    if not settings.cache.enabled or route.upstream is None or route.strip_prefix:
        return None
    max_bytes = settings.cache.memory_mib * 2**20 // max(1, len(settings.routes))
    # Others may share the state folder, and have another Jupyter behind their names.
    folder = static_files_folder(settings) / cache_folder_name(route)
    return StaticCache(jupyter, DiskStore(folder, max_bytes), max_bytes)


def static_files_folder(settings: Settings) -> Path:
    """Where each route has a folder with its static files."""
    return settings.state_folder / "static-files"


def cache_folder_name(route: RouteConfiguration) -> str:
    """The name of the folder for its static files: readable, and no other route's."""
    name, path = route.origins[0].spelled_out.replace(":", "_"), route.path.strip("/")
    if not path:
        return name
    # Paths may be too long for a name, and may differ in slashes or, on some disks, in case alone.
    digest = sha256(path.encode()).hexdigest()[:16]
    return f"{name}_{path.replace('/', '_')[:64]}_{digest}"


def build_web_app_pool(web_app: Upstream) -> Pool:
    """The connections to labgate's web application."""
    return Pool(
        web_app,
        connect_timeout_seconds=WEB_APP_START_SECONDS,
        idle_connections=WEB_APP_IDLE_CONNECTIONS,
        response_seconds=WEB_APP_RESPONSE_SECONDS,
    )


def challenge_folders(settings: Settings) -> list[Path]:
    """Where files of HTTP-01 challenges are: labgate's own folder, then certbot's webroot."""
    folders = [challenge_folder(settings.state_folder)]
    if settings.acme.webroot is not None:
        folders.append(settings.acme.webroot / ".well-known" / "acme-challenge")
    return folders


def bind_ports(
    settings: Settings, given: Sequence[tuple[str, socket.socket]] | None = None
) -> Ports:
    """Bind every port that is not given.

    Args:
        settings: The configuration.
        given: Sockets with their names; those of the service manager if it is None.

    Raises:
        StartError: A port is not available, or a given socket is for none.
    """
    with_tls, http_port = settings.listen.tls, settings.http_port
    https_port = settings.https_port if with_tls else None
    ports = ports_of(passed_sockets() if given is None else given, https_port, http_port)
    optional = () if settings.listen.bind else settings.bind
    try:
        if not ports.main:
            port = http_port if https_port is None else https_port
            flag = "--https-port" if with_tls else "--http-port"
            ports.main.extend(bind(settings.bind, port, flag, optional=optional))
        if with_tls and http_port and not ports.plain:
            flag = "--http-port (0 for none)"
            ports.plain.extend(bind(settings.bind, http_port, flag, optional=optional))
    except BaseException:
        ports.close()
        raise
    return ports


def build_server(
    settings: Settings,
    dispatch: Dispatch,
    limits: Limits,
    connection_limit: ConcurrencyLimit,
    *,
    plain_redirects: bool = False,
) -> Http1Server | AiohttpServer:
    """The server of a port, as ``listen.server`` names it.

    Args:
        settings: The configuration.
        dispatch: Takes every request.
        limits: As far as there are descriptors for them.
        connection_limit: Counts the connections of all ports.
        plain_redirects: As in ``rules.head.Arrival``.
    """
    if settings.listen.speaks_http2 and not plain_redirects:
        from proxy.http2.server import Http2Server  # noqa: PLC0415  h2 costs 0.1 s

        return Http2Server(dispatch, limits=limits, connection_limit=connection_limit)
    if settings.listen.server == "labgate":
        return Http1Server(
            dispatch,
            limits=limits,
            connection_limit=connection_limit,
            plain_redirects=plain_redirects,
        )
    from proxy.web.front.server import AiohttpServer  # noqa: PLC0415  aiohttp costs 0.4 s

    return AiohttpServer(
        dispatch, limits=limits, connection_limit=connection_limit, plain_redirects=plain_redirects
    )


def build_header_printer(settings: Settings) -> HeaderPrinter:
    """The printer of ``--show-headers``.

    Raises:
        UsageError: Its filter means nothing.
    """
    try:
        only = "is:error " if settings.log.show_headers_only == "errors" else ""
        matches = parse_filter(only + settings.log.show_headers_filter)
    except FilterError as error:
        raise UsageError(f"log.show_headers_filter: {error}.") from None
    return HeaderPrinter(matches, partial(print, flush=True))

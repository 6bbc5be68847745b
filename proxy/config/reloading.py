"""Compares two configurations: what a reload changes now, and what waits for a restart."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from proxy.config.problems import sentence
from proxy.config.routes import served_routes
from proxy.config.settings import SECTIONS, Settings
from proxy.errors import UsageError
from proxy.net.upstream_address import UpstreamAddress

AT_RELOAD = frozenset(
    {
        *("site.domains", "site.rewrite", "site.canonical_redirect"),
        *("site.websocket_without_origin", "site.hsts_seconds", "site.embed_in"),
        *("listen.drain_seconds", "listen.handover_seconds", "listen.ping_seconds"),
        *("tls.cert", "tls.key", "tls.unknown_name"),
        *("acme.webroot", "acme.email", "acme.directory", "acme.challenges", "acme.profile"),
        *("acme.eab_kid", "acme.eab_hmac_key", "acme.ca_file"),
        *("access.htpasswd", "access.allow", "access.trusted_proxies"),
        *("access.login_failures", "access.lockout_seconds"),
        *("limits.connections", "limits.connections_per_address"),
        *("limits.requests", "limits.requests_per_address"),
        *("limits.handshake_seconds", "limits.head_seconds", "limits.keep_alive_seconds"),
        *("limits.content_grace_seconds", "limits.content_pace"),
        *("upstream.url", "upstream.connect_timeout_seconds", "upstream.head_seconds"),
        *("upstream.response_seconds", "upstream.page_seconds"),
        *("upstream.idle_connections", "upstream.idle_seconds"),
        *("upstream.verify", "upstream.ca", "upstream.cert", "upstream.key"),
        "compression.enabled",
        *("log.level", "log.format", "log.access", "log.health"),
        *("log.show_headers", "log.show_headers_only", "log.show_headers_filter"),
        *("inspector.enabled", "inspector.content", "inspector.observe"),
        "routes",
    }
)
"""The keys whose new values are in force after a reload."""

AT_RESTART = frozenset(
    {
        *("listen.bind", "listen.https_port", "listen.http_port", "listen.tls"),
        *("listen.server", "listen.http2", "listen.workers", "listen.metrics"),
        # Another listener, which reads the header before anything else.
        "access.proxy_protocol",
        # Sizes of the parser in aiohttp's server, which starts once.
        *("limits.request_line", "limits.head", "limits.fields"),
        # What was launched is launched; a restart compares it, and replaces it if it may.
        *("jupyter.launch", "jupyter.image", "jupyter.name", "jupyter.volume", "jupyter.home"),
        *("jupyter.recreate", "jupyter.password", "jupyter.user", "jupyter.memory_limit"),
        *("jupyter.port", "jupyter.folder", "jupyter.start_timeout_seconds"),
        "inspector.address",
        # What is kept has its place, and its work in the background.
        *("cache.enabled", "cache.memory_mib"),
        # Locks, the admin socket and the certificates are in the folder.
        "state.folder",
    }
)
"""The keys whose new values wait for a restart. Every key is in one of the two tables."""


class Comparison(NamedTuple):
    """The keys whose values differ.

    Attributes:
        changed: Those that take effect now.
        restart: Those that take effect when labgate is started again.
    """

    changed: tuple[str, ...]
    restart: tuple[str, ...]


def compare_settings(old: Settings, new: Settings) -> Comparison:
    """Which keys differ between the configuration in force and another one.

    Defaults that follow from other keys count: with another domain the ports may be others.
    """
    before, after = effective_values(old), effective_values(new)
    differing = [key for key, value in after.items() if value != before[key]]
    changed = tuple(key for key in differing if key in AT_RELOAD)
    return Comparison(changed, tuple(key for key in differing if key not in AT_RELOAD))


def route_changes(old: Settings, new: Settings) -> list[str]:
    """What a reload does to routes, in sentences without a full stop."""
    before, after = ({one.key: one for one in served_routes(each)} for each in (old, new))
    said = [
        f"{one.public_address} has no route any more; the WebSockets that it had are cut"
        for key, one in before.items()
        if key not in after
    ]
    for key, one in after.items():
        if key not in before:
            said.append(f"{one.public_address} now leads to {one.address}")
        elif before[key].address != one.address:
            said.append(f"{one.public_address} leads to {one.address} from now on")
    return said


def moved_addresses(old: Settings, new: Settings) -> list[UpstreamAddress]:
    """Where routes lead that led nowhere before, or elsewhere."""
    before = {one.key: one.address for one in served_routes(old)}
    after = {one.key: one.address for one in served_routes(new)}
    return [
        address
        for key, address in after.items()
        if address is not None and address != before.get(key)
    ]


def in_force_after_reload(old: Settings, new: Settings) -> Settings:
    """The new configuration, with the old values of the keys that need a restart.

    Raises:
        UsageError: The two do not fit together; only a restart helps.
    """
    restart = compare_settings(old, new).restart
    if not restart:
        return new
    values = new.model_dump(exclude_unset=True)
    before = effective_values(old)
    for key in restart:
        section, _, name = key.partition(".")
        values.setdefault(section, {})[name] = before[key]
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        reasons = " ".join(sentence(problem, environment=False) for problem in error.errors())
        raise UsageError(
            f"{', '.join(restart)} can only change with a restart, and the rest does not fit "
            f"without it: {reasons}"
        ) from None


def effective_values(settings: Settings) -> dict[str, Any]:
    """Every key, as ``section.key``, with the value that it has or that stands for it."""
    values = {
        f"{section}.{key}": getattr(getattr(settings, section), key)
        for section in SECTIONS
        for key in type(getattr(settings, section)).model_fields
    }
    return values | {
        "routes": settings.routes,
        "site.hsts_seconds": settings.hsts_seconds,
        "listen.bind": settings.bind,
        "listen.https_port": settings.https_port,
        "listen.http_port": settings.http_port,
        "state.folder": settings.state_folder,
    }

"""Finds keys that have no effect because of the values of other keys.

On the command line such a key is an error. In the file and in the environment it is only a
warning, because several commands may use one file, and a flag may override it temporarily.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from proxy.config.addresses import is_address, is_loopback_name, is_public_name
from proxy.config.settings import SECTIONS, Settings


class Obstacle(NamedTuple):
    """A key that makes another one ineffective, and its value."""

    key: str
    value: str


Need = Callable[[Settings], Obstacle | None]
"""Returns the obstacle; None if there is none."""


def _container(settings: Settings) -> Obstacle | None:
    launch = settings.jupyter.launch
    return Obstacle("jupyter.launch", launch) if launch in ("none", "process") else None


def _process(settings: Settings) -> Obstacle | None:
    launch = settings.jupyter.launch
    return Obstacle("jupyter.launch", launch) if launch in ("none", "docker") else None


def _launch(settings: Settings) -> Obstacle | None:
    launch = settings.jupyter.launch
    return Obstacle("jupyter.launch", launch) if launch == "none" else None


def _tls(settings: Settings) -> Obstacle | None:
    return None if settings.listen.tls else Obstacle("listen.tls", "false")


def _own_server(settings: Settings) -> Obstacle | None:
    server = settings.listen.server
    return Obstacle("listen.server", server) if server != "labgate" else None


def _no_files(settings: Settings) -> Obstacle | None:
    return Obstacle("tls.cert", str(settings.tls.cert[0])) if settings.tls.cert else None


def _public_name(settings: Settings) -> Obstacle | None:
    return Obstacle("site.domains", settings.site.domains[0]) if settings.local else None


def _several_names(settings: Settings) -> Obstacle | None:
    names = settings.site.domains
    return Obstacle("site.domains", names[0]) if len(names) == 1 else None


def _site_has_jupyter(settings: Settings) -> Obstacle | None:
    return None if settings.site_has_jupyter else Obstacle("upstream.url", "")


def _lockout(settings: Settings) -> Obstacle | None:
    off = settings.access.login_failures == 0
    return Obstacle("access.login_failures", "0") if off else None


def _idle_connections(settings: Settings) -> Obstacle | None:
    none = settings.upstream.idle_connections == 0
    return Obstacle("upstream.idle_connections", "0") if none else None


def _info_logged(settings: Settings) -> Obstacle | None:
    level = settings.log.level
    return Obstacle("log.level", level) if level in ("warning", "error") else None


def _cached(settings: Settings) -> Obstacle | None:
    return None if settings.cache.enabled else Obstacle("cache.enabled", "false")


def _headers_shown(settings: Settings) -> Obstacle | None:
    return None if settings.log.show_headers else Obstacle("log.show_headers", "false")


_ACME = (_tls, _no_files, _public_name)

NEEDS: dict[str, tuple[Need, ...]] = {
    "site.domains": (),
    "site.rewrite": (_site_has_jupyter,),
    "site.canonical_redirect": (_site_has_jupyter, _several_names),
    "site.websocket_without_origin": (_site_has_jupyter,),
    "site.embed_in": (_site_has_jupyter,),
    "site.hsts_seconds": (),  # sent behind an ingress that terminates TLS, too
    "listen.bind": (),
    "listen.https_port": (_tls,),
    "listen.http_port": (),
    "listen.tls": (),
    "listen.server": (),
    "listen.http2": (_tls, _own_server),
    "listen.drain_seconds": (),
    "listen.handover_seconds": (),
    "listen.ping_seconds": (),
    "listen.workers": (),
    "listen.metrics": (),
    "tls.cert": (_tls,),
    "tls.key": (_tls,),
    "tls.unknown_name": (_tls,),
    "acme.webroot": (),  # challenges are answered behind an ingress, too
    "acme.email": _ACME,
    "acme.directory": _ACME,
    "acme.challenges": _ACME,
    "acme.profile": _ACME,
    "acme.eab_kid": _ACME,
    "acme.eab_hmac_key": _ACME,
    "acme.ca_file": _ACME,
    "access.lockout_seconds": (_lockout,),
    "limits.handshake_seconds": (_tls,),
    "upstream.idle_seconds": (_idle_connections,),
    "cache.memory_mib": (_cached,),
    "log.access": (_info_logged,),
    "log.health": (_info_logged,),
    "log.show_headers_only": (_headers_shown,),
    "log.show_headers_filter": (_headers_shown,),
    "jupyter.launch": (),
    "jupyter.image": (_container,),
    "jupyter.name": (_container,),
    "jupyter.volume": (_container,),
    "jupyter.home": (_container,),
    "jupyter.recreate": (_container,),
    "jupyter.password": (_launch,),
    "jupyter.user": (_container,),
    "jupyter.memory_limit": (_container,),
    "jupyter.port": (_launch,),
    "jupyter.folder": (_process,),
    "jupyter.start_timeout_seconds": (_launch,),
}
"""The needs of each key; it has an effect if none of them returns an obstacle."""

INDEPENDENT = ("access", "limits", "upstream", "compression", "cache", "log", "inspector", "state")
"""Sections whose keys always have an effect, unless ``NEEDS`` has an entry.

``access.proxy_protocol`` without ``trusted_proxies`` is refused by ``Settings``, and
``upstream.url`` by ``up`` where that launches a Jupyter.
"""


def without_effect(settings: Settings, keys: Iterable[str]) -> dict[str, Obstacle]:
    """Those of ``keys`` that have no effect, each with its first obstacle."""
    found = {}
    for key in keys:
        obstacles = (need(settings) for need in NEEDS.get(key, ()))
        if obstacle := next(filter(None, obstacles), None):
            found[key] = obstacle
    return found


def keys_given(settings: Settings) -> list[str]:
    """The keys that were given by flags, environment or file."""
    return [
        f"{section}.{key}"
        for section in SECTIONS
        if section in settings.model_fields_set
        for key in sorted(getattr(settings, section).model_fields_set)
    ]


def ignored_jupyter_keys(keys: Iterable[str], launched: str) -> list[str]:
    """Those keys of ``[jupyter]`` that have no effect on what ``auto`` launched.

    Args:
        keys: Names without the section.
        launched: ``docker`` or ``process``.
    """
    need = _process if launched == "docker" else _container
    return [f"jupyter.{key}" for key in sorted(keys) if NEEDS.get(f"jupyter.{key}") == (need,)]


def ineffective_options(settings: Settings, typed: Mapping[str, str]) -> list[str]:
    """A sentence for every option on the command line that has no effect.

    Args:
        settings: The whole configuration.
        typed: The options as they were typed, by key.
    """
    said = []
    for key, (other, value) in without_effect(settings, typed).items():
        sentence = f"{typed[key]} has no effect with {_as_written(other, value, typed)}"
        if key == "listen.https_port":
            sentence += "; the port that browsers see is written as --domain NAME:PORT"
        remedy = "Leave one of them out"
        if other == "site.domains":
            remedy = "Name a public one with --domain"
        elif other == "log.show_headers":
            remedy = "Add --show-headers"
        said.append(f"{sentence}. {remedy}.")
    return said


def ineffective_keys(settings: Settings, typed: Mapping[str, str], *, launches: bool) -> list[str]:
    """A sentence for every key in file and environment that has no effect.

    Args:
        settings: The whole configuration.
        typed: The options of the command line, by key.
        launches: Whether the command launches Jupyter; otherwise ``[jupyter]`` is ignored.
    """
    keys = [key for key in keys_given(settings) if key not in typed]
    if not launches:
        keys = [key for key in keys if not key.startswith("jupyter.")]
    remarks = untrusted_names(settings)
    if "listen.bind" not in keys_given(settings):
        remarks += _names_out_of_reach(settings)
    together: dict[Obstacle, list[str]] = {}
    for key, obstacle in without_effect(settings, keys).items():
        together.setdefault(obstacle, []).append(key)
    remarks += [
        f"No effect with {_as_written(*obstacle, typed)}: {', '.join(idle)}."
        for obstacle, idle in together.items()
    ]
    return remarks


def untrusted_names(settings: Settings) -> list[str]:
    """Warn of a public domain after a local one: its certificate is one that nobody trusts."""
    # Of an address nobody else makes one either.
    public = [host for host in _public_after_local(settings) if not is_address(host)]
    if not public or not settings.listen.tls or settings.tls.cert:
        return []
    have = "has" if len(public) == 1 else "have"
    said = (
        f"{', '.join(public)} {have} a development certificate, of which browsers warn, because "
        f"{settings.site.domains[0]} comes first among the domains. Name a public one first for "
        "certbot's certificate or one by ACME, or name files in tls.cert and tls.key."
    )
    return [said]


def _names_out_of_reach(settings: Settings) -> list[str]:
    """Warn of a public domain after a local one: labgate is not reachable there."""
    public = _public_after_local(settings)
    if not public:
        return []
    first = settings.site.domains[0]
    said = f"{first} comes first among the domains, so labgate listens on loopback alone, and other"
    return [
        f"{said} machines do not reach {', '.join(public)}. Name that first, or set listen.bind."
    ]


def _public_after_local(settings: Settings) -> list[str]:
    if not settings.local:
        return []
    hosts = dict.fromkeys(origin.host for origin in settings.origins)
    return [host for host in hosts if is_public_name(host) and not is_loopback_name(host)]


def _as_written(key: str, value: str, typed: Mapping[str, str]) -> str:
    """An obstacle in the notation of its source: option or key."""
    if key in typed:
        return typed[key] if key == "listen.tls" else f"{typed[key]} {value}"
    return f"{key} = {value if value in ('false', '0') else repr(value)}".replace("'", '"')

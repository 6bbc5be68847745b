"""The sections of the configuration that have no file of their own, frozen and validated.

``config/labgate.toml`` explains the keys to people. Tested by tests/config/test_load.py and
tests/config/test_problems.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from proxy.config.addresses import host_and_port, parse_domain, parse_web_origin
from proxy.config.section import Section
from proxy.config.types import Names, NetworkList, Port, Seconds
from proxy.errors import UsageError
from proxy.net.limits import DEFAULT_LIMITS
from proxy.net.upstream_address import UpstreamAddress, parse_upstream
from proxy.net.upstream_tls import UpstreamTls
from proxy.rules.site import WebOrigin

DEFAULT_DOMAIN = "localhost"


def distinct_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """The domains as they are, if each is well-formed.

    Raises:
        ValueError: One is not, or is there twice.
    """
    known: set[WebOrigin] = set()
    for domain in domains:
        origin = parse_domain(domain, 443)
        if origin in known:
            raise ValueError(f"{domain!r} is there twice; name it once")
        known.add(origin)
    return domains


def web_origins(sites: tuple[str, ...]) -> tuple[str, ...]:
    """The origins of sites, each in the form that browsers write.

    Raises:
        ValueError: One is malformed.
    """
    return tuple(str(parse_web_origin(site)) for site in sites)


class SiteSettings(Section):
    """``[site]``: the public domains, and which requests are accepted."""

    domains: Names = (DEFAULT_DOMAIN,)
    rewrite: Literal["rewrite", "preserve"] = "rewrite"
    canonical_redirect: bool = False
    websocket_without_origin: bool = False
    hsts_seconds: Annotated[int, Field(ge=0)] | None = None
    embed_in: Names = ()

    @field_validator("embed_in")
    @classmethod
    def _origins(cls, sites: tuple[str, ...]) -> tuple[str, ...]:
        return web_origins(sites)

    @field_validator("domains")
    @classmethod
    def _well_formed(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        if not domains:
            raise ValueError("name at least one domain, for example localhost")
        return distinct_domains(domains)


class ListenSettings(Section):
    """``[listen]``: the addresses and ports that labgate listens on."""

    bind: Names = ()
    https_port: Port | None = None
    http_port: Port | None = None
    tls: bool = True
    server: Literal["labgate", "aiohttp"] = "labgate"
    http2: bool = False
    drain_seconds: Seconds = 10.0
    handover_seconds: Seconds = 3600.0
    ping_seconds: Annotated[float, Field(ge=0)] = 45.0
    workers: Annotated[int, Field(ge=1)] = 1
    metrics: str = ""

    @property
    def speaks_http2(self) -> bool:
        """Whether HTTP/2 is offered to browsers."""
        return self.http2 and self.tls and self.server == "labgate"

    @field_validator("metrics")
    @classmethod
    def _host_and_port(cls, metrics: str) -> str:
        if metrics:
            host_and_port(metrics)
        return metrics


class AccessSettings(Section):
    """``[access]``: logins, the allow-list, and the trusted proxies."""

    htpasswd: Path | None = None
    allow: NetworkList = ()
    trusted_proxies: NetworkList = ()
    proxy_protocol: bool = False
    login_failures: Annotated[int, Field(ge=0)] = 10
    lockout_seconds: Seconds = 900.0

    @model_validator(mode="after")
    def _sender_known(self) -> AccessSettings:
        if self.proxy_protocol and not self.trusted_proxies:
            message = "proxy_protocol needs trusted_proxies: the addresses it may come from"
            raise ValueError(message)
        return self


class LimitSettings(Section):
    """``[limits]``: limits for clients; ``net.limits.Limits`` explains each."""

    connections: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.connections
    connections_per_address: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.connections_per_address
    requests: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.requests
    requests_per_address: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.requests_per_address
    request_line: Annotated[int, Field(ge=8192)] = DEFAULT_LIMITS.request_line
    head: Annotated[int, Field(ge=8192)] = DEFAULT_LIMITS.head
    fields: Annotated[int, Field(ge=16)] = DEFAULT_LIMITS.fields
    handshake_seconds: Seconds = DEFAULT_LIMITS.handshake_seconds
    head_seconds: Seconds = DEFAULT_LIMITS.head_seconds
    keep_alive_seconds: Seconds = DEFAULT_LIMITS.keep_alive_seconds
    content_grace_seconds: Seconds = DEFAULT_LIMITS.content_grace_seconds
    content_pace: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.content_pace


class UpstreamSettings(Section):
    """``[upstream]``: the connection to the Jupyter server."""

    url: str = ""
    connect_timeout_seconds: Seconds = 5.0
    head_seconds: Seconds = 60.0
    response_seconds: Annotated[float, Field(ge=0)] = 0.0
    page_seconds: Annotated[float, Field(ge=0)] = 15.0
    idle_connections: Annotated[int, Field(ge=0)] = 64
    idle_seconds: Seconds = 30.0
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True

    @property
    def tls(self) -> UpstreamTls:
        """How to speak TLS to an ``https`` upstream."""
        ca, cert, key = (str(path or "") for path in (self.ca, self.cert, self.key))
        return UpstreamTls(ca, cert, key, self.verify)

    @property
    def address(self) -> UpstreamAddress:
        """Where ``url`` is; only where one is configured."""
        return parse_upstream(self.url, self.tls)

    @field_validator("url")
    @classmethod
    def _parses(cls, url: str) -> str:
        if url:
            try:
                parse_upstream(url)
            except UsageError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return url

    @model_validator(mode="after")
    def _tls_where_it_is_used(self) -> UpstreamSettings:
        if self.key and not self.cert:
            raise ValueError("key belongs to a certificate: give upstream.cert as well")
        if self.url.startswith("https:") and self.verify is False and self.ca:
            raise ValueError("verify = false trusts everybody, so ca has nothing to do: drop one")
        return self


class InspectorSettings(Section):
    """``[inspector]``: captures what passes, for people who look for a fault."""

    enabled: bool = False
    content: bool = False
    observe: bool = False
    address: str = "127.0.0.1:0"

    @field_validator("address")
    @classmethod
    def _loopback(cls, address: str) -> str:
        if host_and_port(address)[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                f"{address!r}: the inspector shows what everybody does, so it listens on loopback "
                "only; write for example 127.0.0.1:8889"
            )
        return address


class StateSettings(Section):
    """``[state]``: the folder of the development CA, the login token and other state."""

    folder: Path | None = None

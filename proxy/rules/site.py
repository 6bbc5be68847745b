"""The site: the part of the configuration that the rules read.

Tested by tests/rules/test_decide.py, tests/web/test_forwarding.py and tests/test_builders.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from .head import RequestHead
from .networks import NO_NETWORKS, Networks


class WebOrigin(NamedTuple):
    """Scheme, host and port of a web address (RFC 6454); the host is lower-case."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def default_port(self) -> bool:
        """Whether the port is the one the scheme implies."""
        return self.port == (443 if self.scheme == "https" else 80)

    @property
    def authority(self) -> str:
        """``host[:port]`` as a browser puts it into Host: the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.default_port else f"{host}:{self.port}"

    @property
    def spelled_out(self) -> str:
        """``host:port`` with the port always written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the rules need to know of the configuration, prepared for look-ups.

    Attributes:
        domains: The public origins, the canonical one first.
        authorities: Every accepted spelling of Host, lower-case, and what it names.
        origins: Every accepted spelling of Origin, lower-case.
        upstream: What Jupyter believes to be called: the origin Host, Origin and
            Referer are rewritten to.
        preserve: Pass Host, Origin and Referer through unchanged (after the checks).
        https: Whether the public side is HTTPS (it is, behind a TLS-terminating
            ingress too).
        canonical_redirect: Send the other domains to the canonical one.
        websocket_without_origin: Let a WebSocket in that carries neither Origin nor
            token.
        base_path: Jupyter's ``base_url``, with a slash at both ends.
        challenges: Serve ``/.well-known/acme-challenge/`` (webroot and state folder).
        hsts_seconds: Strict-Transport-Security's max-age (RFC 6797); 0 sends none.
        allow: The addresses that get in; empty is everybody.
        trusted_proxies: The addresses whose X-Forwarded-For is believed.
        gated: labgate itself asks for passwords: Basic credentials and its own cookie end
            here.
    """

    domains: tuple[WebOrigin, ...]
    authorities: Mapping[bytes, WebOrigin]
    origins: frozenset[bytes]
    upstream: WebOrigin
    preserve: bool = False
    canonical_redirect: bool = False
    websocket_without_origin: bool = False
    base_path: str = "/"
    challenges: bool = False
    hsts_seconds: int = 0
    allow: Networks = NO_NETWORKS
    trusted_proxies: Networks = NO_NETWORKS
    gated: bool = False

    @property
    def canonical(self) -> WebOrigin:
        """The first configured public origin."""
        return self.domains[0]

    @property
    def https(self) -> bool:
        """Whether the public origins are HTTPS."""
        return self.canonical.scheme == "https"

    def public_origin(self, head: RequestHead) -> WebOrigin:
        """What its Host names; the canonical origin where that has not been checked."""
        hosts = head.values(b"host")
        known = self.authorities.get(hosts[0].lower()) if hosts else None
        return known if known is not None else self.canonical

    def for_application(self) -> Site:
        """The same site in front of labgate's own application instead of Jupyter.

        It gets the public names and labgate's own credentials, which it needs to log out. Its
        answers have no Strict-Transport-Security, because they go out over plain HTTP as well
        (RFC 6797 section 7.2).
        """
        return replace(self, preserve=True, gated=False, hsts_seconds=0)


def make_site(
    domains: tuple[WebOrigin, ...],
    upstream: WebOrigin,
    *,
    preserve: bool = False,
    canonical_redirect: bool = False,
    websocket_without_origin: bool = False,
    base_path: str = "/",
    challenges: bool = False,
    hsts_seconds: int = 0,
    allow: Networks = NO_NETWORKS,
    trusted_proxies: Networks = NO_NETWORKS,
    gated: bool = False,
) -> Site:
    """Prepare a ``Site``: every spelling that names one of ``domains`` goes into its sets.

    The lists come from the configuration alone, never from a request.
    """
    authorities: dict[bytes, WebOrigin] = {}
    origins: set[bytes] = set()
    for origin in domains:
        spellings = [origin.spelled_out]
        if origin.default_port:
            spellings.append(origin.authority)
        authorities.update((text.encode("ascii"), origin) for text in spellings)
        origins.update(f"{origin.scheme}://{text}".encode("ascii") for text in spellings)
    return Site(
        domains=domains,
        authorities=MappingProxyType(authorities),
        origins=frozenset(origins),
        upstream=upstream,
        preserve=preserve,
        canonical_redirect=canonical_redirect,
        websocket_without_origin=websocket_without_origin,
        base_path=base_path,
        challenges=challenges,
        hsts_seconds=hsts_seconds,
        allow=allow,
        trusted_proxies=trusted_proxies,
        gated=gated,
    )

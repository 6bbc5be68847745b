"""The site: the part of the configuration that the rules read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from .authority import host_only, host_with_port, port_only
from .head import RequestHead
from .networks import NO_NETWORKS, Networks
from .pass_through import PassThrough
from .stripped_prefix import StrippedPrefix


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
        return host_with_port(self.host, None if self.default_port else self.port)

    @property
    def spelled_out(self) -> str:
        """``host:port`` with the port always written."""
        return host_with_port(self.host, self.port)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Site:
    """The part of the configuration that the rules read, prepared for look-ups.

    Attributes:
        domains: The public origins, the canonical one first.
        authorities: Every accepted Host, lower-case, and its public origin.
        origins: Every accepted Origin, lower-case.
        upstream: Jupyter's own origin; Host, Origin and Referer are rewritten to it.
        preserve: Forward Host, Origin and Referer unchanged (after the checks).
        canonical_redirect: Redirect the other domains to the canonical one.
        websocket_without_origin: Allow a WebSocket that has neither Origin nor token.
        base_path: Jupyter's ``base_url``, with a slash at both ends.
        challenges: Serve ``/.well-known/acme-challenge/`` (webroot and state folder).
        hsts_seconds: Strict-Transport-Security's max-age (RFC 6797); 0 sends none.
        allow: The addresses of clients that are allowed; empty allows all.
        trusted_proxies: The addresses of proxies whose X-Forwarded-For is used.
        requires_login: labgate itself requires a password; then it does not forward Basic
            credentials and its own cookie.
        observe: Let through what the checks of Host, Origin and Referer would refuse, unchanged.
        compressible: How the targets begin whose responses may be compressed; empty for none.
        embed_in: The origins of the sites whose pages may have this one in a frame, lower-case.
        pass_through: What holds where the upstreams know their public origins themselves, as
            those of a JupyterHub; None where labgate checks and rewrites.
        has_upstream: Whether there is a Jupyter behind these names; else all but labgate's own
            paths is refused.
        folder: The path that all requests begin with, without a slash at its end; empty where they
            begin with any. A request for itself is redirected to the one with the slash.
        stripped: What the upstream does not get of the path; None if it gets all of it.
        refuse_dot_segments: Refuse paths with ``.`` or ``..``, because paths decide which upstream
            a request goes to: one that removes dot segments would serve another path.
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
    requires_login: bool = False
    observe: bool = False
    compressible: tuple[bytes, ...] = ()
    embed_in: tuple[bytes, ...] = ()
    pass_through: PassThrough | None = None
    has_upstream: bool = True
    folder: bytes = b""
    stripped: StrippedPrefix | None = None
    refuse_dot_segments: bool = False

    @property
    def canonical(self) -> WebOrigin:
        """The first configured public origin."""
        return self.domains[0]

    @property
    def https(self) -> bool:
        """Whether the public origins are HTTPS, also if another proxy terminates TLS."""
        return self.canonical.scheme == "https"

    def public_origin(self, head: RequestHead) -> WebOrigin:
        """The public origin that Host names; the canonical one if Host names none."""
        hosts = head.values(b"host")
        known = self.authorities.get(hosts[0].lower()) if hosts else None
        if known is None and hosts and self.pass_through is not None:
            # Nobody has named the public origins: they are what clients come by.
            port = int(port_only(hosts[0]) or (443 if self.https else 80))
            return WebOrigin(self.canonical.scheme, host_only(hosts[0]).decode("ascii"), port)
        return known if known is not None else self.canonical

    def unmodified(self) -> Site:
        """The same site for requests that would be refused: they go up as they came."""
        return replace(self, preserve=True, compressible=())

    def for_web_app(self) -> Site:
        """The same site in front of labgate's web application instead of Jupyter.

        The web application gets the public names, and labgate's own credentials to log out. Its
        responses have no Strict-Transport-Security, because clients get them over plain HTTP as
        well (RFC 6797 section 7.2).
        """
        return replace(self, preserve=True, requires_login=False, hsts_seconds=0, compressible=())


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
    requires_login: bool = False,
    observe: bool = False,
    compressible: tuple[bytes, ...] = (),
    embed_in: tuple[bytes, ...] = (),
    pass_through: PassThrough | None = None,
    has_upstream: bool = True,
    folder: bytes = b"",
    stripped: StrippedPrefix | None = None,
    refuse_dot_segments: bool = False,
) -> Site:
    """Make a ``Site`` that accepts every spelling of ``domains``, and no other."""
    authorities: dict[bytes, WebOrigin] = {}
    origins: set[bytes] = set()
    for origin in domains:
        spellings = [origin.spelled_out]
        if origin.default_port:
            spellings.append(origin.authority)
        for text in spellings:
            authorities.setdefault(text.encode("ascii"), origin)
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
        requires_login=requires_login,
        observe=observe,
        compressible=compressible,
        embed_in=embed_in,
        pass_through=pass_through,
        has_upstream=has_upstream,
        folder=folder,
        stripped=stripped,
        refuse_dot_segments=refuse_dot_segments,
    )

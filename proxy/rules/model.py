"""The words of the policy: header fields, heads, the site, and what can be decided.

Header fields are ordered ``(name, value)`` pairs of bytes that keep their case,
because repeated fields keep their order (RFC 9110 section 5.3) and Jupyter compares
some values as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from .networks import NO_NETWORKS, Networks

Field = tuple[bytes, bytes]


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
class Arrival:
    """What the connection itself says of a request; nothing the client wrote.

    Attributes:
        peer: The client's IP address as text.
        plain_redirects: The request came in on the plain HTTP port whose job is to
            send people to HTTPS.
        vouched: Who opened the connection answers for the fields on it. Not so when a
            sender of the PROXY protocol relays somebody without saying whom.
    """

    peer: str
    plain_redirects: bool = False
    vouched: bool = True


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class FieldSection:
    """The field lines of a head, and an index of them.

    A client mostly repeats its fields over one connection, byte for byte: then its heads share
    one section, by whose identity caches know them.

    Attributes:
        fields: The field lines.
        index: Every value of a field, by its name in lower case.
    """

    fields: tuple[Field, ...]
    index: Mapping[bytes, tuple[bytes, ...]] = field(init=False)

    def __post_init__(self) -> None:
        index: dict[bytes, tuple[bytes, ...]] = {}
        for name, value in self.fields:
            key = name.lower()
            index[key] = (*index[key], value) if key in index else (value,)
        object.__setattr__(self, "index", MappingProxyType(index))


NO_FIELDS = FieldSection(())


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its content (RFC 9112 sections 2 and 3).

    ``target`` is the request target byte for byte: never decoded, re-quoted or
    normalised on its way up. ``section`` is that of ``fields``, and made of them when it is
    not given.
    """

    method: bytes
    target: bytes
    version: tuple[int, int]
    fields: tuple[Field, ...]
    arrival: Arrival
    section: FieldSection = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        # ``dataclasses.replace`` hands on the section of the fields that were replaced.
        if self.section is None or self.section.fields is not self.fields:
            object.__setattr__(self, "section", FieldSection(self.fields))

    def values(self, name: bytes) -> Sequence[bytes]:
        """Every value of the field ``name`` (given in lower case), in order."""
        return self.section.index.get(name, ())

    def from_peer(self, peer: str) -> RequestHead:
        """The same head from another client's address."""
        now = self.arrival
        arrival = Arrival(peer, now.plain_redirects, now.vouched)
        return RequestHead(
            self.method, self.target, self.version, self.fields, arrival, self.section
        )


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response without its content (RFC 9112 section 4)."""

    status: int
    reason: bytes
    fields: tuple[Field, ...]
    names: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    """The fields' names in lower case, in their order."""

    def __post_init__(self) -> None:
        names = tuple([name.lower() for name, _ in self.fields])
        object.__setattr__(self, "names", names)

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the field ``name`` (given in lower case), in order."""
        if name not in self.names:
            return []
        if self.names.count(name) == 1:
            return [self.fields[self.names.index(name)][1]]
        pairs = zip(self.names, self.fields, strict=True)
        return [value for key, (_, value) in pairs if key == name]


class Change(NamedTuple):
    """One thing a rule did to a header field, for ``--show-headers`` and the inspector.

    ``before`` is None when the field was added, ``after`` is None when it was removed.
    """

    rule: str
    name: bytes
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with ``status`` and this Location."""

    status: Literal[301, 308]
    location: str


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer with ``status`` and this sentence."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Internal:
    """Send ``head`` to labgate's own application (``proxy.web``) and relay the answer."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error; ``sentence`` is told to the client, the rest to the log.

    ``field`` and ``value`` are the header field at fault (empty when it is none, None when
    the request has no such field); ``close`` when nothing that follows on the connection can
    be trusted; ``fields`` belong into the answer. ``hint`` tells the operator what to do: it
    may name what a stranger is not told.
    """

    status: int
    rule: str
    sentence: str
    field: str = ""
    value: bytes | None = None
    close: bool = False
    fields: tuple[Field, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """Send ``head``, which is in origin-form or ``*``, up and relay the answer."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Send the WebSocket handshake up; after the 101, relay raw bytes both ways."""

    head: RequestHead


Decision = Redirect | Respond | Refuse | Internal | Forward | Tunnel


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

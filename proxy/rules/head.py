"""Heads of requests and responses, and their header fields.

Fields are ordered pairs of bytes that keep their case: repeated fields keep their order
(RFC 9110 section 5.3), and Jupyter compares some values as text.

Tested by tests/rules/test_purity.py and tests/proxying/test_decision_cache.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from .connection_names import ConnectionNames
from .framing import Framing, read_framing

Field = tuple[bytes, bytes]
"""The name and the value of a header field."""
HTTP_2 = (2, 0)
"""The version of a request in HTTP/2."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Facts of the connection that a request came on; nothing that the client wrote.

    Attributes:
        peer: The client's IP address as text.
        plain_redirects: The request came on the plain HTTP port, which redirects to HTTPS.
        client_known: False if the sender of the PROXY protocol withheld the client's address.
        tls_seconds: How long its TLS handshake took; None without one, or if nobody measured it.
            No rule looks at it.
        names: What the connection is for; None if it does not matter, as where each connection
            has one name only.
        sent_again: No client sent it, but the inspector. No rule looks at this, nor at the next.
        login_left_out: The first one had, or may have had, a login, and this one has none.
    """

    peer: str
    plain_redirects: bool = False
    client_known: bool = True
    tls_seconds: float | None = field(default=None, compare=False)
    names: ConnectionNames | None = None
    sent_again: bool = field(default=False, compare=False)
    login_left_out: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class FieldSection:
    """The field lines of a head, and an index of them.

    Most clients repeat the same fields on one connection. The heads of such requests share one
    section, and caches use its identity as their key.

    Attributes:
        fields: The field lines.
        index: Every value of a field, by its name in lower case.
        framing: How the octets after the head are read.
    """

    fields: tuple[Field, ...]
    index: Mapping[bytes, tuple[bytes, ...]] = field(init=False)
    framing: Framing = field(init=False)

    def __post_init__(self) -> None:
        index: dict[bytes, tuple[bytes, ...]] = {}
        for name, value in self.fields:
            key = name.lower()
            index[key] = (*index[key], value) if key in index else (value,)
        framing = read_framing(
            index.get(b"content-length", ()), index.get(b"transfer-encoding", ())
        )
        object.__setattr__(self, "index", MappingProxyType(index))
        object.__setattr__(self, "framing", framing)


NO_FIELDS = FieldSection(())


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its content (RFC 9112 sections 2 and 3).

    Attributes:
        method: The method; case-sensitive.
        target: The request target byte for byte: never decoded, re-quoted or normalised.
        version: (1, 0), (1, 1) or ``HTTP_2``.
        fields: The header fields, in order.
        arrival: The connection that it came on.
        section: The section of ``fields``; made if it is not given.
    """

    method: bytes
    target: bytes
    version: tuple[int, int]
    fields: tuple[Field, ...]
    arrival: Arrival
    section: FieldSection = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        # ``dataclasses.replace`` passes the section of the previous fields.
        if self.section is None or self.section.fields is not self.fields:
            object.__setattr__(self, "section", FieldSection(self.fields))

    def values(self, name: bytes) -> Sequence[bytes]:
        """Every value of the field ``name`` (given in lower case), in order."""
        return self.section.index.get(name, ())

    @property
    def framing(self) -> Framing:
        """How the octets after the head are read."""
        return self.section.framing

    def from_peer(self, peer: str) -> RequestHead:
        """The same head with another client's address."""
        arrival = self.arrival
        arrival = Arrival(
            peer,
            arrival.plain_redirects,
            arrival.client_known,
            arrival.tls_seconds,
            arrival.names,
            arrival.sent_again,
            arrival.login_left_out,
        )
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

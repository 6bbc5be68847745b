"""A request's head out of a decoded header list, or why there is none (RFC 9113 section 8); no I/O.

Jupyter is spoken to in HTTP/1.1, where a CR, an LF, a space or a colon in the wrong place begins
another field or another request. HPACK carries any octet. So everything is checked here against
the grammar of HTTP/1.1, and nothing is repaired. What comes out is the head that the same request
would have in HTTP/1.1: the authority in Host, cookies in one field (section 8.2.3), and content of
unknown length as chunked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from proxy.http2.priorities import DEFAULT_PRIORITY, Priority, parse_priority
from proxy.net.limits import Limits
from proxy.rules.decision import Refuse
from proxy.rules.head import (
    HTTP_2,
    NO_FIELDS,
    Arrival,
    Field,
    FieldSection,
    RequestHead,
)
from proxy.rules.syntax import malformed, too_long_target, too_many_fields

PSEUDO_FIELDS = frozenset({b":method", b":scheme", b":authority", b":path"})
CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
"""Section 8.2.2: they speak of an HTTP/1.1 connection, and Transfer-Encoding of its framing."""
FRAMING_FIELDS = CONNECTION_FIELDS | {b"content-length", b"host", b"te"}
"""What trailers must not have, either (RFC 9110 section 6.5.1)."""

_NAME = rb"[!#$%&'*+.^_`|~0-9a-z-]++"
_VALUE = rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?"
_NAMES = re.compile(_NAME + rb"(?:\n" + _NAME + rb")*")
"""Names, each on a line of its own; in lower case (section 8.2.1)."""
_VALUES = re.compile(_VALUE + rb"(?:\n" + _VALUE + rb")*")
"""Values, without white space around them (section 8.2.1)."""
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(rb"/[!-~]*|\*")


class RequestHeadReader:
    """Reads the heads of one connection; fields that repeat are checked once.

    Attributes:
        priority: What the Priority field of the last head says.

    Args:
        limits: Of a head.
        arrival: The connection.
    """

    __slots__ = ("_arrival", "_checked", "_limits", "_section", "priority")

    def __init__(self, limits: Limits, arrival: Arrival) -> None:
        self._limits = limits
        self._arrival = arrival
        self._checked: object = None
        self._section = NO_FIELDS
        self.priority: Priority = DEFAULT_PRIORITY

    def read(self, received: Sequence[Field], *, ended: bool) -> RequestHead | Refuse:
        """The head of a request, or what is wrong with it.

        Args:
            received: The header list as it was decoded.
            ended: Whether the stream ends with it, so that there is no content.
        """
        pseudo: dict[bytes, bytes] = {}
        count = 0
        for name, value in received:
            if name[:1] != b":":
                break
            if name in pseudo or name not in PSEUDO_FIELDS:
                return _malformed_pseudo_field(name)
            pseudo[name] = value
            count += 1
        method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
        refusal = self._check_line(method, path, pseudo.get(b":scheme", b""))
        if refusal is not None:
            return refusal
        key = (received[count:], pseudo.get(b":authority"), ended)
        if key != self._checked:
            refusal = self._check_fields(*key)
            if refusal is not None:
                return refusal
            self._checked = key
        section = self._section
        return RequestHead(method, path, HTTP_2, section.fields, self._arrival, section)

    def _check_line(self, method: bytes, path: bytes, scheme: bytes) -> Refuse | None:
        """Check what HTTP/1.1 has in its request line (section 8.3.1)."""
        if _METHOD.fullmatch(method) is None:
            return malformed("The request's method is not well-formed.", "method")
        if method == b"CONNECT":
            return Refuse(405, "target", "CONNECT is not relayed here.", close=True)
        if len(method) + len(path) + len(b"  HTTP/1.1") > self._limits.request_line:
            return too_long_target()
        if _PATH.fullmatch(path) is None:
            return malformed("The request target must start with a slash.", "target")
        if scheme.lower() != b"https":
            return malformed("This port speaks HTTPS.", "scheme")
        return None

    def _check_fields(
        self, received: Sequence[Field], authority: bytes | None, ended: bool
    ) -> Refuse | None:
        """Check the fields, and keep them as HTTP/1.1 has them."""
        limits = self._limits
        if len(received) > limits.fields or field_bytes(received) > limits.head:
            return too_many_fields()
        refusal = check_octets(received)
        if refusal is not None:
            return refusal
        names = [name for name, _ in received]
        forbidden = CONNECTION_FIELDS.intersection(names)
        if forbidden:
            shown = min(forbidden).decode("ascii")
            return malformed(f"A request in HTTP/2 has no {shown} field.", "connection-field")
        if any(value != b"trailers" for name, value in received if name == b"te"):
            return malformed("The TE field can only say trailers.", "te")
        hosts = [value for name, value in received if name == b"host"]
        if authority is None and not hosts:
            return malformed("The request names no authority.", "host")
        if authority is None:
            authority = hosts[0]
        if any(host.lower() != authority.lower() for host in hosts) or len(hosts) > 1:
            return malformed("Host differs from the request's authority.", "host")
        if check_octets([(b"host", authority)]) is not None:
            return malformed("The request's authority is not well-formed.", "host")
        section = FieldSection(http_1_fields(received, authority))
        length, _, fault = section.framing
        if fault is not None:
            return malformed(fault.sentence, "content-length")
        if ended and length:
            return malformed("The content that Content-Length promises is not there.", "framing")
        if not ended and not section.index.get(b"content-length"):
            section = FieldSection((*section.fields, (b"transfer-encoding", b"chunked")))
        self._section = section
        self.priority = parse_priority(b",".join(section.index.get(b"priority", ())))
        return None


def check_trailers(received: Sequence[Field], limits: Limits) -> Refuse | None:
    """Refuse malformed trailers; the others are dropped, as in HTTP/1.1."""
    if len(received) > limits.fields or field_bytes(received) > limits.head:
        return too_many_fields()
    refusal = check_octets(received)
    if refusal is None and not FRAMING_FIELDS.isdisjoint(name for name, _ in received):
        refusal = malformed("A trailer changes how the request would be read.", "trailers")
    return refusal


def check_octets(received: Sequence[Field]) -> Refuse | None:
    """Refuse names and values that HTTP/1.1 could not carry unchanged (section 8.2.1)."""
    if not received:
        return None
    names = b"\n".join([name for name, _ in received])
    values = b"\n".join([value for _, value in received])
    lines = len(received) - 1
    if (
        names.count(b"\n") != lines
        or values.count(b"\n") != lines
        or _NAMES.fullmatch(names) is None
        or _VALUES.fullmatch(values) is None
    ):
        return malformed("A header field of this request is not well-formed.", "fields")
    return None


def http_1_fields(received: Iterable[Field], authority: bytes) -> tuple[Field, ...]:
    """The same fields with the authority in Host, and with all cookies in the first Cookie."""
    fields: list[Field] = [(b"host", authority)]
    cookies: list[bytes] = []
    at = 0
    for name, value in received:
        if name == b"cookie":
            at = at or len(fields)
            cookies.append(value)
        elif name != b"host":
            fields.append((name, value))
    if cookies:
        fields.insert(at, (b"cookie", b"; ".join(cookies)))
    return tuple(fields)


def field_bytes(received: Iterable[Field]) -> int:
    """As many octets as the field lines would have in HTTP/1.1."""
    return sum(len(name) + len(value) + len(b": \r\n") for name, value in received)


def _malformed_pseudo_field(name: bytes) -> Refuse:
    if name in PSEUDO_FIELDS:
        return malformed(f"The request has {name.decode('ascii')} twice.", "pseudo-field")
    return malformed("The request has an unknown pseudo-header field.", "pseudo-field")

"""Checks the version, method, framing and expectation of a request.

``syntax`` has refused malformed octets before.
"""

from __future__ import annotations

from typing import NamedTuple

from .decision import Refuse
from .framing import FramingFault
from .head import RequestHead
from .origin import has_option, is_websocket

METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND "
    b"REPORT SEARCH SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
"""The methods of RFC 9110, and those of IANA's registry that are in use; case-sensitive."""
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: only these may be sent again on their own."""


def check_message(head: RequestHead) -> Refuse | None:
    """Check version, method, framing and expectation; never forward an ambiguous message."""
    return (
        check_version(head) or check_method(head) or check_framing(head) or check_expectation(head)
    )


def check_version(head: RequestHead) -> Refuse | None:
    """Refuse a major version that no front speaks (RFC 9110 section 15.6.6)."""
    if head.version[0] in (1, 2):
        return None
    return Refuse(505, "version", "This server speaks HTTP/1.1 and HTTP/1.0.", close=True)


def check_method(head: RequestHead) -> Refuse | None:
    """Refuse an undefined method with 501 (RFC 9110 section 9.1)."""
    if head.method in METHODS:
        return None
    return Refuse(501, "method", "This server does not know this method.", close=True)


def check_framing(head: RequestHead) -> Refuse | None:
    """Refuse content whose end readers could see in different places (RFC 9112 section 6.1)."""
    _, chunked, fault = head.framing
    if chunked and head.version < (1, 1):
        fault = FramingFault(400, "Transfer-Encoding", "HTTP/1.0 has no Transfer-Encoding.")
    if fault is None:
        return None
    rule = fault.field.lower()
    value = b", ".join(head.values(rule.encode("ascii")))
    return Refuse(fault.status, rule, fault.sentence, fault.field, value, close=True)


def check_expectation(head: RequestHead) -> Refuse | None:
    """Refuse an Expect other than ``100-continue`` with 417 (RFC 9110 section 10.1.1)."""
    expected = head.values(b"expect")
    if not expected or all(value.strip().lower() == b"100-continue" for value in expected):
        return None
    sentence = "Only 100-continue can be expected."
    return Refuse(417, "expect", sentence, "Expect", b", ".join(expected), close=True)


class ConnectionFacts(NamedTuple):
    """What follows from a request's method, version and fields for its connection and response.

    Attributes:
        persistent: Whether another request can safely be read behind this one.
        may_be_unsent: Whether the client may leave out the content that its head promises.
        expects_continue: Whether the client may wait for 100 Continue.
        http_1_1: Whether the client understands HTTP/1.1.
        is_head: Whether the method is HEAD, so that the response has no content.
    """

    persistent: bool
    may_be_unsent: bool
    expects_continue: bool
    http_1_1: bool
    is_head: bool


NOTHING_FOLLOWS = ConnectionFacts(False, False, False, True, False)
"""For a request that could not be read."""


def connection_facts(head: RequestHead) -> ConnectionFacts:
    """Derive the facts; they do not depend on the target."""
    return ConnectionFacts(
        may_continue(head),
        may_be_unsent(head),
        expects_continue(head),
        head.version >= (1, 1),
        head.method == b"HEAD",
    )


def may_continue(head: RequestHead) -> bool:
    """Whether another request can safely be read after this one (RFC 9112 section 9.3).

    Not after chunked content: another parser could find its end elsewhere. Not after CONNECT or
    an upgrade that labgate does not make: the client may already use another protocol.
    """
    if head.method == b"CONNECT":
        return False
    connection = head.values(b"connection")
    if any(has_option(value, b"close") for value in connection):
        return False
    if head.version < (1, 1) and not any(has_option(value, b"keep-alive") for value in connection):
        return False
    return not head.framing.chunked and (not head.values(b"upgrade") or is_websocket(head))


def may_be_unsent(head: RequestHead) -> bool:
    """Whether the client may leave out the content that its head announces.

    A client that expects 100 Continue and gets another response may send none (RFC 9110
    section 10.1.1). Then the next request, perhaps of another client behind the same proxy,
    would be read as the content.
    """
    return bool(head.values(b"expect"))


def expects_continue(head: RequestHead) -> bool:
    """Whether Jupyter will send 100 Continue, for which the client may wait.

    Not to HTTP/1.0 (RFC 9110 section 10.1.1). Tornado sends it only for this spelling
    (``HTTP1Connection._read_message``).
    """
    return head.version >= (1, 1) and head.values(b"expect") == (b"100-continue",)


def check_hops(head: RequestHead) -> Refuse | int | None:
    """Max-Forwards of TRACE and OPTIONS, minus one (RFC 9110 section 7.6.2).

    None if it is absent, or if the method does not use it.
    """
    hops = head.values(b"max-forwards")
    if not hops or head.method not in (b"OPTIONS", b"TRACE"):
        return None
    if len(hops) == 1 and hops[0].isdigit() and len(hops[0]) < 10:
        return int(hops[0]) - 1
    sentence = "Max-Forwards must be one number."
    return Refuse(400, "max-forwards", sentence, "Max-Forwards", b", ".join(hops))

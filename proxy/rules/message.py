"""What a request must be before anything else is asked of it.

``syntax`` has refused malformed octets already; this is about what well-formed ones say.
"""

from __future__ import annotations

from .model import Refuse, RequestHead
from .origin import is_websocket


def check_message(head: RequestHead) -> Refuse | None:
    """Version, framing and expectation; whatever is ambiguous is never forwarded."""
    return check_version(head) or check_coding(head) or check_expectation(head)


def check_version(head: RequestHead) -> Refuse | None:
    """RFC 9110 section 15.6.6: another major version than 1 is not spoken here."""
    if head.version[0] == 1:
        return None
    return Refuse(505, "version", "labgate speaks HTTP/1.1 and HTTP/1.0.", close=True)


def check_coding(head: RequestHead) -> Refuse | None:
    """Transfer-Encoding is ``chunked`` and nothing else (RFC 9112 sections 6.1 and 7)."""
    codings = head.values(b"transfer-encoding")
    if not codings:
        return None
    named = ("Transfer-Encoding", b", ".join(codings))
    if head.version < (1, 1):
        sentence = "HTTP/1.0 has no Transfer-Encoding."
        return Refuse(400, "transfer-encoding", sentence, *named, close=True)
    if head.values(b"content-length"):
        sentence = "Content-Length and Transfer-Encoding contradict each other."
        return Refuse(400, "transfer-encoding", sentence, *named, close=True)
    if len(codings) == 1 and codings[0].strip().lower() == b"chunked":
        return None
    last = codings[-1].rsplit(b",", 1)[-1].strip().lower()
    status = 501 if last == b"chunked" else 400
    sentence = "The only transfer coding labgate knows is chunked, once."
    return Refuse(status, "transfer-encoding", sentence, *named, close=True)


def check_expectation(head: RequestHead) -> Refuse | None:
    """RFC 9110 section 10.1.1: nothing but ``100-continue`` can be promised."""
    expected = head.values(b"expect")
    if all(value.strip().lower() == b"100-continue" for value in expected):
        return None
    sentence = "Only 100-continue can be expected."
    return Refuse(417, "expect", sentence, "Expect", b", ".join(expected), close=True)


def may_continue(head: RequestHead) -> bool:
    """Whether another request can safely be read behind this one.

    Not where aiohttp's parser loses its place: it hands the trailers of chunked content to
    the next request as fields, and drops what follows CONNECT or an upgrade it does not
    know.
    """
    return (
        head.arrival.persistent
        and head.method != b"CONNECT"
        and not head.values(b"transfer-encoding")
        and (not head.values(b"upgrade") or is_websocket(head))
    )


def check_hops(head: RequestHead) -> Refuse | int | None:
    """Max-Forwards of TRACE and OPTIONS, one less (RFC 9110 section 7.6.2).

    None where there is none, or where the method does not use it.
    """
    hops = head.values(b"max-forwards")
    if not hops or head.method not in (b"OPTIONS", b"TRACE"):
        return None
    if len(hops) == 1 and hops[0].isdigit() and len(hops[0]) < 10:
        return int(hops[0]) - 1
    sentence = "Max-Forwards must be one number."
    return Refuse(400, "max-forwards", sentence, "Max-Forwards", b", ".join(hops))

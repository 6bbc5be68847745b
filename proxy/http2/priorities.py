"""Which response is sent next (RFC 9218); no I/O.

Responses of the same urgency are sent one after the other, in the order of their requests, or in
turns where the client can use parts of them (``incremental``). Two things are labgate's own. A
response that is complete and short goes before longer ones of its urgency. And one that has become
large waits for all that are not: a download that somebody started by a link is as urgent as a page
to the browser, and would otherwise keep the page's other requests waiting to its end. Large ones
take turns, however urgent they are, so that an endless one keeps none of the others from its end.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

MAX_FIELD_BYTES = 256
"""Of a Priority field that is parsed; the two parameters that are known take ten."""
DEFAULT_URGENCY = 3
SHORT_BYTES = 16 * 1024
"""A response of which no more is left takes one frame."""
LARGE_BYTES = 1024 * 1024
"""Sent of one response; the largest script of JupyterLab is larger, and comes alone."""

_URGENCY = re.compile(rb"u=([0-7])")
_TRUE = frozenset({b"i", b"i=?1"})
_STREAM_ID = 0x7FFF_FFFF


class Priority(NamedTuple):
    """What a client says of a response (section 4).

    Attributes:
        urgency: From 0, the most urgent, to 7.
        incremental: Whether it can use parts of the response.
    """

    urgency: int = DEFAULT_URGENCY
    incremental: bool = False


DEFAULT_PRIORITY = Priority()


def parse_priority(value: bytes) -> Priority:
    """Read a Priority field; what is unknown or malformed counts as absent (section 5)."""
    if not value or len(value) > MAX_FIELD_BYTES:
        return DEFAULT_PRIORITY
    urgency, incremental = DEFAULT_PRIORITY
    for member in value.split(b","):
        # Parameters of a member have no meaning here.
        item = member.partition(b";")[0].strip(b" \t")
        if (match := _URGENCY.fullmatch(item)) is not None:
            urgency = int(match[1])
        elif item in _TRUE:
            incremental = True
        elif item == b"i=?0":
            incremental = False
    return Priority(urgency, incremental)


class PriorityUpdate(NamedTuple):
    """The payload of a PRIORITY_UPDATE frame (section 7.1)."""

    stream_id: int
    priority: Priority


def parse_priority_update(payload: bytes) -> PriorityUpdate | None:
    """Read the payload; None if it names no stream, which is an error of the connection."""
    stream_id = int.from_bytes(payload[:4], "big") & _STREAM_ID
    if len(payload) < 4 or not stream_id:
        return None
    return PriorityUpdate(stream_id, parse_priority(payload[4:]))


class Sendable(Protocol):
    """A response of which something waits to be sent.

    Attributes:
        id: Its stream's.
        priority: What the client says of it.
        queued_bytes: Of its content.
        response_ended: Whether nothing more will be queued.
        sent_bytes: Of its content.
        turn: When it was sent the last time, as a number that grows; 0 for never.
    """

    id: int
    priority: Priority
    queued_bytes: int
    response_ended: bool
    sent_bytes: int
    turn: int


def send_rank(response: Sendable) -> tuple[bool, int, bool, int, int]:
    """Sort by it: the smallest is sent next."""
    large = response.sent_bytes >= LARGE_BYTES
    short = response.response_ended and response.queued_bytes <= SHORT_BYTES
    in_turns = large or response.priority.incremental
    return (
        large,
        0 if large else response.priority.urgency,
        not short,
        response.turn if in_turns else 0,
        response.id,
    )

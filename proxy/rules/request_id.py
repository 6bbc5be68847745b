"""The request's name in logs (X-Request-Id), as a trusted proxy gives it."""

from __future__ import annotations

import re

from .head import RequestHead
from .networks import Networks

FIELD = b"X-Request-Id"

MAX_ID_BYTES = 128
_WELL_FORMED = re.compile(rb"[A-Za-z0-9+/=@_.:-]{1,%d}" % MAX_ID_BYTES)
"""No quotes, brackets or spaces, so that it stands in a log line as it is; UUIDs and ULIDs fit."""


def request_id(head: RequestHead, trusted: Networks) -> bytes:
    """The name that a trusted proxy gave; empty if labgate must make one.

    Anybody else could give two requests the same name.

    Args:
        head: As it was received, from the proxy's own address.
        trusted: The trusted proxies.
    """
    arrival = head.arrival
    if not arrival.client_known or arrival.peer not in trusted:
        return b""
    values = head.values(b"x-request-id")
    return values[0] if len(values) == 1 and _WELL_FORMED.fullmatch(values[0]) else b""

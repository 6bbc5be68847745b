"""The outcome of a forwarded request.

Tested by tests/proxying/test_forwarder.py and tests/proxying/test_upgrade.py.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from proxy.errors import ClientFault, UpstreamError
from proxy.rules.head import Field

EXPECTED_ERRORS = (UpstreamError, ClientFault, ConnectionError)
"""What goes wrong at the upstream or at the client; any other exception is a fault of labgate's."""

CLIENT_LEFT = "the client went away"
"""The outcome of a request whose client did not wait for its response."""


class Switched(NamedTuple):
    """The upstream speaks another protocol from here on.

    Attributes:
        upstream: Its side of the connection.
        reason: The 101's reason phrase.
        fields: The 101's fields, for the client.
        rest: Bytes of the other protocol that the upstream has already sent.
    """

    upstream: asyncio.Transport
    reason: bytes
    fields: list[Field]
    rest: bytes


class Result(NamedTuple):
    """The outcome of a forwarded request. Without an error the response is complete.

    Attributes:
        status: The final response's; 0 when its head was not sent.
        bytes_up: Content sent up.
        bytes_down: Content sent down.
        error: Why there is no complete response: an ``UpstreamError``, a ``ClientFault``, or a
            ``ConnectionError`` when the client left; anything else is a fault of labgate's.
        retry: Whether the request can be sent once more, over a new connection.
        switched: The response is a 101 that the client has not been sent yet.
        outcome: The record's, if it is neither ``forwarded`` nor ``answered here``.
    """

    status: int
    bytes_up: int
    bytes_down: int
    error: Exception | None = None
    retry: bool = False
    switched: Switched | None = None
    outcome: str = ""


def without_traceback(error: Exception) -> Exception:
    """An expected error without its traceback: break the reference cycle.

    The frames of the traceback refer to the body that holds the error. Only the garbage collector
    would free them, thousands at a time, and every client would wait for it. A fault of labgate's
    keeps its traceback, for the log.
    """
    return error.with_traceback(None) if isinstance(error, EXPECTED_ERRORS) else error

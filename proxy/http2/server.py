"""The server of a port for HTTPS where HTTP/2 is spoken beside HTTP/1.1."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic

from proxy.http1.server import Http1Server
from proxy.http2.negotiated_connection import NegotiatedConnection
from proxy.http2.server_connection import Http2Connection
from proxy.messages import Dispatch
from proxy.net.limits import (
    DEFAULT_LIMITS,
    ConcurrencyLimit,
    Limits,
    Slot,
    new_request_limit,
    new_web_app_limit,
)
from proxy.rules.head import Arrival

MAX_WIDE_WINDOWS = 32
MAX_WIDE_WINDOWS_PER_ADDRESS = 12


class Http2Server(Http1Server):
    """Speaks the protocol that the client has chosen in its TLS handshake (RFC 9113 section 3.2).

    Without TLS that is HTTP/1.1: HTTP/2 with prior knowledge is not accepted. The connections of
    both are in ``connections``.

    Attributes:
        stream_limit: How many streams there may be: as many as requests, in all and for one
            address. A connection costs little until it has a stream.
        own_path_limit: How many more for labgate's own paths, so that a health check gets through.
        wide_window_limit: How many streams may have a wide window at once: an upstream may stop to
            take content, which then waits in memory.

    Args:
        dispatch: Takes every request.
        limits: As in ``Http1Server``.
        connection_limit: As in ``Http1Server``.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        limits: Limits = DEFAULT_LIMITS,
        connection_limit: ConcurrencyLimit | None = None,
    ) -> None:
        super().__init__(dispatch, limits=limits, connection_limit=connection_limit)
        shared_addresses = self.connection_limit.shared_addresses
        self.stream_limit = new_request_limit(limits, shared_addresses)
        self.own_path_limit = new_web_app_limit(shared_addresses)
        self.wide_window_limit = ConcurrencyLimit(
            MAX_WIDE_WINDOWS, MAX_WIDE_WINDOWS_PER_ADDRESS, shared_addresses
        )

    def change_limits(self, limits: Limits) -> None:
        super().change_limits(limits)
        shared_addresses = self.connection_limit.shared_addresses
        self.stream_limit.change(limits.requests, limits.requests_per_address, shared_addresses)

    def connection(self, client: str, slot: Slot, client_known: bool) -> asyncio.Protocol:
        arrival = Arrival(client, client_known=client_known)
        return NegotiatedConnection(
            super().connection(client, slot, client_known),
            partial(Http2Connection, self, arrival, slot, monotonic()),
        )

"""A client's connection until its TLS handshake has chosen the protocol (RFC 7301).

Tested by tests/http2/test_server.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from proxy.tls.context import ALPN_HTTP_2


class NegotiatedConnection(asyncio.Protocol):
    """Hands the transport over as soon as the event loop reports it, which is after the handshake.

    Args:
        http1: The connection in HTTP/1.1.
        new_http2: Makes the connection in HTTP/2.
    """

    __slots__ = ("_http1", "_new_http2")

    def __init__(self, http1: asyncio.Protocol, new_http2: Callable[[], asyncio.Protocol]) -> None:
        self._http1 = http1
        self._new_http2 = new_http2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the protocol that was negotiated; a client that offered none gets HTTP/1.1."""
        tls = transport.get_extra_info("ssl_object")
        chosen = self._http1
        if tls is not None and tls.selected_alpn_protocol() == ALPN_HTTP_2:
            chosen = self._new_http2()
        cast(asyncio.Transport, transport).set_protocol(chosen)
        chosen.connection_made(transport)

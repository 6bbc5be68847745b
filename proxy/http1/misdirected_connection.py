"""A client that speaks plain HTTP to a port for HTTPS.

Tested by tests/net/test_pending_connection.py and tests/wire/test_tls_end.py.
"""

from __future__ import annotations

import asyncio
import logging

from proxy.http1.server_connection import ServerConnection

log = logging.getLogger("labgate")


class MisdirectedConnection(ServerConnection):
    """Gets a 400, whatever it requests.

    The response contains no name: the client may not know whose address this is.
    """

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sentence = "This port speaks HTTPS: open the same address with https:// in front."
        log.info("400 from %s: plain HTTP on a port for HTTPS", self.client)
        self._refuse(400, sentence)

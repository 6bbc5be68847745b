"""A client that speaks plain HTTP to a port for HTTPS.

Tested by tests/net/test_pending_connection.py and tests/wire/test_tls_end.py.
"""

from __future__ import annotations

import asyncio

from proxy.http1.server_connection import ServerConnection
from proxy.rules.decision import Refuse

PLAIN_HTTP_REFUSAL = Refuse(
    400,
    "plain-http",
    "This port speaks HTTPS: open the same address with https:// in front.",
    close=True,
    hint="plain HTTP on a port for HTTPS",
)


class MisdirectedConnection(ServerConnection):
    """Gets a 400, whatever it requests.

    The response contains no name: the client may not know whose address this is.
    """

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._refuse(PLAIN_HTTP_REFUSAL)

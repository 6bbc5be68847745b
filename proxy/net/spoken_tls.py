"""Whether TLS is spoken at a port, for who was told that it is plain HTTP.

Tested by tests/net/test_spoken_tls.py.
"""

from __future__ import annotations

import asyncio
import re
import ssl

_OF_TLS = re.compile(r"ALERT|^TLSV1_|^UNSUPPORTED_PROTOCOL$")
"""OpenSSL's reasons where the other side sent an alert (RFC 8446 section 6), some of which are
called without that word, as ``TLSV1_UNRECOGNIZED_NAME``, or chose a version that is too old."""


def trusting_all() -> ssl.SSLContext:
    """A context for questions that no secret is sent with: it takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Whether a handshake succeeds, with whatever certificate, or is refused by an alert of TLS.

    A server refuses with one who shows no certificate, or asks for a name that it does not have.

    Args:
        host: A name or an address.
        port: Of TCP.
        seconds: How long the connection and the handshake may take.
    """
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port, ssl=trusting_all())
    except ssl.SSLError as error:
        return _OF_TLS.search(error.reason or "") is not None
    except OSError:
        return False
    writer.transport.abort()
    # The transport closes its socket in the event loop's next turn, which may be its last.
    await asyncio.sleep(0)
    return True

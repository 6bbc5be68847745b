"""The key exchange groups of Mozilla's intermediate profile: X25519, P-256 and P-384.

Browsers offer X25519 first. A server that has P-256 alone makes each of them ask twice
(HelloRetryRequest, RFC 8446 section 4.1.4): a round trip for every new connection. Before 3.15
Python can name one curve only, and its default has two groups that the profile has not.
OpenSSL's own configuration can name them all.
"""

from __future__ import annotations

import ctypes
import os
import ssl
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

GROUPS = "X25519:P-256:P-384"
CONFIGURATION = Path(__file__).with_name("groups.cnf")
"""Names them for OpenSSL."""
EXTENSION = bytes.fromhex("000a 0008 0006 001d 0017 0018")
"""They as the extension supported_groups (RFC 8446 section 4.2.7)."""
SPOKEN_BY_ALL = "prime256v1"

Context = TypeVar("Context", bound=ssl.SSLContext)


def server_side(kind: type[Context]) -> Context:
    """A new context for servers that knows these groups and no others.

    P-256 alone where OpenSSL cannot be told.
    """
    configured = sys.version_info < (3, 15) and _configured()
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    if sys.version_info >= (3, 15):
        context.set_groups(GROUPS)
    elif not configured:
        context.set_ecdh_curve(SPOKEN_BY_ALL)
    return context


@cache
def _configured() -> bool:
    """Whether contexts made from here on have the groups; clients' contexts have them, too.

    Source: CONF_modules_load_file(3), SSL_CONF_cmd(3).
    """
    try:
        # _ssl is linked to the OpenSSL that Python uses, of several perhaps.
        import _ssl  # noqa: PLC0415  not every Python has it as a file

        openssl = ctypes.CDLL(_ssl.__file__)
        load = openssl.CONF_modules_load_file
        load.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong]
        load(os.fsencode(CONFIGURATION), b"labgate", 0)
        openssl.ERR_clear_error()
    except (AttributeError, OSError):
        return False
    return EXTENSION in _client_hello()


def _client_hello() -> bytes:
    """What a new context says first; that of a client, for it tells its groups."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    said = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()

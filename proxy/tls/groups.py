"""The key exchange groups of Mozilla's intermediate profile: X25519, P-256 and P-384.

Browsers offer X25519 first. A server with P-256 alone makes each of them send a second hello
(HelloRetryRequest, RFC 8446 section 4.1.4): a round trip for every new connection. Before 3.15
Python can set one curve only, and its default has two groups that are not in the profile.
OpenSSL's own configuration can set them all.
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
"""Sets them for OpenSSL."""
EXTENSION = bytes.fromhex("000a 0008 0006 001d 0017 0018")
"""The groups as the extension supported_groups (RFC 8446 section 4.2.7)."""
FALLBACK_CURVE = "prime256v1"

Context = TypeVar("Context", bound=ssl.SSLContext)


def server_side(kind: type[Context]) -> Context:
    """Create a context for servers with these groups and no others.

    With P-256 alone if OpenSSL's configuration cannot be changed.
    """
    configured = sys.version_info < (3, 15) and _configured()
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    if sys.version_info >= (3, 15):
        context.set_groups(GROUPS)
    elif not configured:
        context.set_ecdh_curve(FALLBACK_CURVE)
    return context


@cache
def _configured() -> bool:
    """Whether new contexts have the groups; clients' contexts have them, too.

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
    """The ClientHello of a new context, which contains its groups."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    hello = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    return hello.read()

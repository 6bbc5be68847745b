"""The profile's key exchange groups and no others, and no round trip too many."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.certs.files import load_pair
from tests.certificates import pair, server_context

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The Random of a HelloRetryRequest (RFC 8446 section 4.1.3)."""


def shaken(folder: Path, curve: str | None) -> bytes:
    """A whole handshake in memory with a client of this curve; what the server said.

    Raises:
        ssl.SSLError: One of them does not want the other.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    if curve is not None:
        client.set_ecdh_curve(curve)
    server = server_context([load_pair(*pair(folder, "lab.example.org"))])
    to_server, to_client, relayed = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(relayed, to_server, server_hostname="lab.example.org")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    said = b""
    for _ in range(4):
        for side in (one, other):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            octets = to_client.read()
            said += octets
            relayed.write(octets)
    assert one.version() == "TLSv1.3"
    return said


def test_a_browser_need_not_ask_twice(tmp_path: Path) -> None:
    """It offers X25519 first, as Python's own clients do."""
    assert RETRY not in shaken(tmp_path, None)


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1"])
def test_clients_of_one_curve_get_in(tmp_path: Path, curve: str) -> None:
    assert shaken(tmp_path, curve)


def test_other_curves_do_not(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match="handshake failure"):
        shaken(tmp_path, "secp521r1")

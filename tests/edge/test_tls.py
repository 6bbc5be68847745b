"""TLS: the certificate by name, TLS 1.2 and 1.3, the profile's ciphers and no others."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from proxy.certs.files import load_pair
from proxy.edge.tls import CIPHERS, server_context
from tests.certs.test_files import AUTHORITY, pair


async def shaken(
    server: ssl.SSLContext, name: str, client: ssl.SSLContext | None = None
) -> ssl.SSLObject:
    """A real handshake on loopback; the client's side of it."""
    context = client or ssl.create_default_context()
    AUTHORITY.configure_trust(context)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=server)
    try:
        port = listening.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name
        )
        seen: ssl.SSLObject = writer.get_extra_info("ssl_object")
        writer.close()
        await writer.wait_closed()
        return seen
    finally:
        listening.close()


async def test_sni_chooses_the_certificate(tmp_path: Path) -> None:
    names = [["a.example"], ["b.example", "*.wild.example"]]
    pairs = [load_pair(*pair(tmp_path / group[0], *group)) for group in names]
    context = server_context(pairs)
    for name in ("a.example", "b.example", "x.wild.example", "B.example"):
        assert (await shaken(context, name)).version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        await shaken(context, "c.example")


async def test_tls_1_2_has_the_profiles_ciphers(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))])
    client = ssl.create_default_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = (await shaken(context, "a.example", client)).cipher()
    assert cipher is not None
    assert cipher[0] in CIPHERS.split(":")


async def test_older_ones_are_refused(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))])
    client = ssl.create_default_context()
    client.set_ciphers("AES128-SHA")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shaken(context, "a.example", client)

"""The application protocols of a ClientHello, as real clients send it and as nobody does."""

from __future__ import annotations

import ssl

import pytest

from proxy.edge.client_hello import offered_protocols


def hello(*protocols: str, name: str = "lab.example.org") -> bytes:
    """What OpenSSL sends first."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def divided(octets: bytes, size: int) -> bytes:
    """The same hello in records of ``size`` octets (RFC 8446 section 5.1)."""
    content = octets[5:]
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(octets[:3] + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize(
    "protocols", [(), ("http/1.1",), ("acme-tls/1",), ("h2", "http/1.1", "acme-tls/1")]
)
def test_what_is_offered(protocols: tuple[str, ...]) -> None:
    octets = hello(*protocols)
    expected = tuple(protocol.encode("ascii") for protocol in protocols)
    assert offered_protocols(octets) == expected
    assert offered_protocols(divided(octets, 50)) == expected
    assert offered_protocols(octets + b"\x17\x03\x03\x00\x01\x00") == expected


def test_nothing_is_read_from_what_is_incomplete() -> None:
    octets = hello("acme-tls/1")
    assert offered_protocols(octets)
    assert not any(offered_protocols(octets[:end]) for end in range(len(octets)))


@pytest.mark.parametrize(
    "octets", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 600, bytes(600)]
)
def test_nothing_is_read_from_something_else(octets: bytes) -> None:
    assert offered_protocols(octets) == ()


def test_a_damaged_hello_is_no_fault_of_ours() -> None:
    octets = hello("acme-tls/1")
    for at in range(len(octets)):
        for octet in (0, 1, 0x7F, 0xFF):
            offered_protocols(octets[:at] + bytes([octet]) + octets[at + 1 :])

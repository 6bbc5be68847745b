"""The application protocols of a ClientHello, as real clients send it and as nobody does."""

from __future__ import annotations

import ssl
from base64 import b64decode

import pytest

from proxy.tls.client_hello import PartialHello, offered_protocols


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


RECORDED = b64decode(
    "FgMBAgABAAH8AwNvJVSLg3pk4AJ3TRZcynstD2gpQb10MoI+3aZXNBqQ/CBl6stNSFR8pLCZmSoX5I0XOr/oJuDp"
    "2i2q+0RJz46cxwAkEwITAxMBwCzAMMArwC/MqcyowCTAKMAjwCcAnwCeAGsAZwD/AQABjwAAABQAEgAAD2xhYi5l"
    "eGFtcGxlLm9yZwALAAQDAAECAAoAFgAUAB0AFwAeABkAGAEAAQEBAgEDAQQAIwAAABAADQALCmFjbWUtdGxzLzEA"
    "FgAAABcAAAANACoAKAQDBQMGAwgHCAgICQgKCAsIBAgFCAYEAQUBBgEDAwMBAwIEAgUCBgIAKwAFBAMEAwMALQAC"
    "AQEAMwAmACQAHQAge1lgb6OjjJjNiGXDUUf1XWiyl7AatJ+9h6ogPgEBZRkAFQDNAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
)
"""OpenSSL 3 offers acme-tls/1. Fresh ones are random, and random octets may look like anything."""


def test_a_damaged_hello_offers_nothing_it_does_not_say() -> None:
    """Nothing, or what it said; only in the name's own octets may it say another one."""
    name = b"acme-tls/1"
    octets = RECORDED
    assert offered_protocols(octets) == (name,)
    begins = octets.index(name)
    named = range(begins, begins + len(name))
    seen = set()
    for at in range(len(octets)):
        for octet in {0, 1, 0x7F, 0xFF} - {octets[at]}:
            damaged = octets[:at] + bytes([octet]) + octets[at + 1 :]
            offered = offered_protocols(damaged)
            if at in named:
                assert offered == (damaged[named.start : named.stop],)
            elif at in range(begins - 7, begins):
                # The extension's kind, its length, the list's and the name's.
                assert name not in offered, at
            else:
                assert offered in ((), (name,)), at
                seen.add(offered)
    assert seen == {(), (name,)}, "some damage is that of the frame, some is none"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 60, 16_000])
def test_a_hello_is_waited_for_until_it_is_whole(size: int) -> None:
    octets = divided(hello("h2"), size)
    arriving, came, looks = PartialHello(), 0, 0
    while wanted := arriving.bytes_to_wait_for(octets[:came]):
        assert came < wanted <= len(octets), "it moves on, and never waits for what does not come"
        came, looks = wanted, looks + 1
    assert came == len(octets)
    assert looks < 50, "tiny records cost few looks"
    assert PartialHello().bytes_to_wait_for(octets + b"\x17\x03\x03") == 0


def test_a_hello_is_whole_wherever_the_segments_end() -> None:
    octets = divided(hello(), 100)
    for end in range(len(octets)):
        arriving = PartialHello()
        assert end < arriving.bytes_to_wait_for(octets[:end]) <= len(octets)
        assert arriving.bytes_to_wait_for(octets) == 0


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x00\x04\x02", id="another message"),
        pytest.param(b"\x16\x03\x01\x00\x00", id="an empty record"),
        pytest.param(b"\x16\x03\x01\x00\x01\x01\x17\x03\x01\x00\x01", id="another record"),
    ],
)
def test_what_can_never_be_a_hello_is_not_waited_for(octets: bytes) -> None:
    assert PartialHello().bytes_to_wait_for(octets) == 0

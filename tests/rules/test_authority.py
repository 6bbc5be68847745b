"""Host and port of an authority."""

from __future__ import annotations

import socket

import pytest

from proxy.rules.authority import (
    can_be_looked_up,
    host_only,
    host_with_port,
    is_authority,
    port_only,
)

PARTS = [
    (b"lab.example.org", b"lab.example.org", b""),
    (b"LAB.example.org:8443", b"lab.example.org", b"8443"),
    (b"lab.example.org:", b"lab.example.org", b""),
    (b"[2001:DB8::1]", b"2001:db8::1", b""),
    (b"[2001:DB8::1]:443", b"2001:db8::1", b"443"),
    # Never valid, so is_authority refuses it before; the first colon or bracket counts.
    (b"a:b:c", b"a", b"b:c"),
    (b"[::1]]:1", b"::1", b"1"),
]


@pytest.mark.parametrize(("authority", "host", "port"), PARTS)
def test_the_parts(authority: bytes, host: bytes, port: bytes) -> None:
    assert (host_only(authority), port_only(authority)) == (host, port)


@pytest.mark.parametrize(
    ("host", "port", "written"),
    [
        ("lab.example.org", 8443, "lab.example.org:8443"),
        ("::1", 80, "[::1]:80"),
        ("::1", None, "[::1]"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
def test_an_ipv6_address_stands_in_brackets(host: str, port: int | None, written: str) -> None:
    assert host_with_port(host, port) == written


NAMES = [
    "h",
    "h.",
    "127.0.0.1",
    "::1",
    "fe80::1%eth0",
    "bücher.example",
    "a_b",
    f"{'a' * 63}.b",
    ".",
    "a..b",
    "a..",
    ".a",
    "a" * 64,
    "ü" * 63,
]


@pytest.mark.parametrize("host", NAMES)
def test_what_a_resolver_can_be_asked_for(host: str) -> None:
    """As the resolver has it, which answers for addresses without asking anybody."""
    try:
        socket.getaddrinfo(host, 1, flags=socket.AI_NUMERICHOST)
        asked = True
    except OSError:
        asked = True
    except UnicodeError:
        asked = False
    assert can_be_looked_up(host) is asked


def test_nothing_stands_behind_a_nul() -> None:
    assert not can_be_looked_up("h\0.example")
    assert not can_be_looked_up("")


VALID = [b"h", b"h:", b"h:65535", b"1.2.3.4", b"[::1]:1", b"[::ffff:1.2.3.4]", b"%41-._~!$&'()*+;="]
INVALID = [
    b"",
    b":1",
    b"a@h",
    b"h:123456",
    b"h:x",
    b"[]",
    b"[::1",
    b"::1",
    b"h/",
    b"h?",
    b"%4",
    b"h ",
]


@pytest.mark.parametrize("value", VALID)
def test_valid(value: bytes) -> None:
    assert is_authority(value)


@pytest.mark.parametrize("value", INVALID)
def test_invalid(value: bytes) -> None:
    assert not is_authority(value)

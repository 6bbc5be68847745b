"""The PROXY protocol's headers: exactly right, or refused."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rules.proxy_protocol import (
    V2_MAX_OCTETS,
    V2_SIGNATURE,
    Fault,
    Header,
    parse_proxy_header,
)

V4 = bytes([192, 0, 2, 1, 10, 0, 0, 5]) + b"\x12\x34\x01\xbb"
V6 = ipaddress.ip_address("2001:db8::1").packed + bytes(16) + b"\x12\x34\x01\xbb"
MAPPED = ipaddress.ip_address("::ffff:192.0.2.1").packed + bytes(16) + b"\x12\x34\x01\xbb"


def binary(first: int, family: int, rest: bytes = b"", length: int | None = None) -> bytes:
    size = len(rest) if length is None else length
    return V2_SIGNATURE + bytes([first, family]) + size.to_bytes(2, "big") + rest


TLV = b"\x04\x00\x03abc"

HEADERS = [
    (b"PROXY TCP4 192.0.2.1 10.0.0.5 56324 443\r\n", "192.0.2.1"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0"),
    (b"PROXY TCP6 2001:db8::1 ::1 56324 443\r\n", "2001:db8::1"),
    (b"PROXY TCP6 2001:DB8:0:0::1 ::1 56324 443\r\n", "2001:db8::1"),
    (
        b"PROXY TCP6 " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.5 1 2\r\n", "192.0.2.1"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (b"PROXY UNKNOWN \r \n anything\xff\0\r\n", None),
    (b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n", None),
    (binary(0x21, 0x11, V4), "192.0.2.1"),
    (binary(0x21, 0x21, V6), "2001:db8::1"),
    (binary(0x21, 0x21, MAPPED), "192.0.2.1"),
    (binary(0x21, 0x11, V4 + TLV), "192.0.2.1"),
    (binary(0x21, 0x11, V4 + b"\x04\xff\xff not a TLV"), "192.0.2.1"),
    (binary(0x21, 0x21, V6 + bytes(V2_MAX_OCTETS - 16 - 36)), "2001:db8::1"),
    (binary(0x20, 0x00), None),
    (binary(0x20, 0x00, TLV), None),
    (binary(0x20, 0x11, V4), None),
    (binary(0x20, 0x11), None),
    (binary(0x20, 0xFF, b"?"), None),
    (binary(0x21, 0x00), None),
    (binary(0x21, 0x00, V4), None),
    (binary(0x21, 0x10, V4), None),
    (binary(0x21, 0x01, V4), None),
    (binary(0x21, 0x12, V4), None),
    (binary(0x21, 0x22, V6), None),
    (binary(0x21, 0x31, bytes(216)), None),
    (binary(0x21, 0x32, bytes(216)), None),
]

FAULTS = {
    "no PROXY header": [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\0",
        b"\r\n\r\n\r\n",
        b"\n",
        b"proxy TCP4 192.0.2.1 10.0.0.5 1 2\r\n",
        b" PROXY TCP4 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY\tTCP4 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY\r\n",
        V2_SIGNATURE[:-1] + b"\r!\x11\0\0",
        b"\r\n\r\n\0\r\nQUIT\r",
    ],
    "a malformed line of version 1": [
        b"PROXY \r\n",
        b"PROXY  TCP4 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.1  10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.1\t10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\nGET / HTTP/1.1\r\n",
        b"PROXY tcp4 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY TCP 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY unknown\r\n",
    ],
    "a malformed address in a line of version 1": [
        b"PROXY TCP4 192.0.2.256 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.01 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.1.1 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.500 1 2\r\n",
        b"PROXY TCP4 192.0.2.1/32 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 0xC0.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 3221225985 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP4 ::ffff:192.0.2.1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 10.0.0.5 1 2\r\n",
        b"PROXY TCP6 2001:db8::1 10.0.0.5 1 2\r\n",
        b"PROXY TCP6 [2001:db8::1] ::1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP6 2001:db8:::1 ::1 1 2\r\n",
        b"PROXY TCP6 2001::db8::1 ::1 1 2\r\n",
        b"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n",
        b"PROXY TCP6 12345:: ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 00001 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 00 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 +1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 \r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2_2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 \xd9\xa1\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\r\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\0\r\n",
        b"PROXY TCP4 192.0.2.\xb9 10.0.0.5 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.5 100000 2\r\n",
    ],
    "a line of version 1 without an end": [
        b"PROXY UNKNOWN " + b"x" * (107 - 15) + b"\r\n",
        b"PROXY UNKNOWN " + b"x" * 1_000,
        b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\n" + b"x" * 100,
        b"PROXY UNKNOWN " + b"x" * (107 - 14),
    ],
    "an unknown version or command in the binary header": [
        binary(0x11, 0x11, V4),
        binary(0x31, 0x11, V4),
        binary(0x01, 0x11, V4),
        binary(0x22, 0x11, V4),
        binary(0x2F, 0x11, V4),
    ],
    "an unknown address family or transport in the binary header": [
        binary(0x21, 0x41, V4),
        binary(0x21, 0xF1, V4),
        binary(0x21, 0x13, V4),
        binary(0x21, 0x1F, V4),
    ],
    "a binary header too short for its addresses": [
        binary(0x21, 0x11, V4[:-1]),
        binary(0x21, 0x11),
        binary(0x21, 0x21, V6[:-1]),
        binary(0x21, 0x21, V4),
    ],
    "a binary header of 65551 octets; 4096 are taken": [
        binary(0x21, 0x11, V4, length=0xFFFF),
    ],
    "a binary header of 4097 octets; 4096 are taken": [
        binary(0x20, 0x00, length=V2_MAX_OCTETS - 15),
    ],
}

PARTS = [
    b"",
    b"P",
    b"PROXY",
    b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\r",
    b"PROXY TCP4 192.0.2.1 10.0.0.5 1 2\n",
    b"PROXY UNKNOWN " + b"x" * (107 - 15),
    b"\r",
    b"\r\n\r\n",
    V2_SIGNATURE,
    binary(0x21, 0x11, V4)[:15],
    binary(0x21, 0x11, V4)[:16],
    binary(0x21, 0x11, V4)[:-1],
    binary(0x20, 0x00, length=V2_MAX_OCTETS - 16),
]


def shown(data: bytes) -> str:
    # mutmut calls tests by their ids, and pytest would escape a backslash once more each time
    # that it collects them in one process.
    return repr(data[:60]).replace("\\", "/")


@pytest.mark.parametrize(("data", "source"), HEADERS, ids=[shown(row[0]) for row in HEADERS])
@pytest.mark.parametrize("behind", [b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"\x16\x03", b"PROXY "])
def test_headers(data: bytes, source: str | None, behind: bytes) -> None:
    assert parse_proxy_header(data + behind) == Header(len(data), source)
    for end in range(len(data)):
        assert parse_proxy_header(data[:end]) is None, data[:end]


@pytest.mark.parametrize(
    ("data", "reason"), [(data, reason) for reason, rows in FAULTS.items() for data in rows]
)
def test_faults(data: bytes, reason: str) -> None:
    assert parse_proxy_header(data) == Fault(reason)
    assert isinstance(parse_proxy_header(data + b"more\r\n"), Fault)


@pytest.mark.parametrize("data", PARTS, ids=shown)
def test_more_is_needed(data: bytes) -> None:
    assert parse_proxy_header(data) is None


def test_what_cannot_become_a_header_is_refused_at_its_first_octet() -> None:
    assert isinstance(parse_proxy_header(b"G"), Fault)
    assert isinstance(parse_proxy_header(b"\x16"), Fault)
    assert isinstance(parse_proxy_header(b"PROXX"), Fault)


lines = st.lists(
    st.sampled_from(
        [b"PROXY", b" ", b"TCP4", b"TCP6", b"UNKNOWN", b"192.0.2.1", b"::1", b"1", b"\r", b"\n"]
    ),
    max_size=30,
).map(b"".join)
binaries = st.builds(
    lambda first, family, length, rest: binary(first, family, rest, length),
    st.sampled_from([0x20, 0x21, 0x22, 0x10]),
    st.integers(0, 255),
    st.one_of(st.none(), st.integers(0, 0xFFFF), st.integers(0, 60)),
    st.binary(max_size=300),
)
anything = st.one_of(
    st.binary(max_size=200),
    lines,
    lines.map(lambda line: b"PROXY " + line),
    binaries,
    st.sampled_from(HEADERS).flatmap(
        lambda row: st.binary(max_size=50).map(lambda behind: row[0] + behind)
    ),
)


@given(anything)
def test_a_verdict_comes_once_and_stands(data: bytes) -> None:
    """It never raises, and how the octets are split makes no difference."""
    verdict = parse_proxy_header(data)
    first = next(
        (seen for end in range(len(data) + 1) if (seen := parse_proxy_header(data[:end]))), None
    )
    assert (first is None) == (verdict is None)
    assert type(first) is type(verdict)
    if isinstance(verdict, Header):
        assert first == verdict
        assert 15 <= verdict.length <= min(len(data), V2_MAX_OCTETS)
        assert parse_proxy_header(data[: verdict.length]) == verdict
        assert parse_proxy_header(data[: verdict.length - 1]) is None
        if verdict.source is not None:
            assert str(ipaddress.ip_address(verdict.source)) == verdict.source
    if verdict is None:
        assert len(data) < V2_MAX_OCTETS

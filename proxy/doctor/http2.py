"""As much of HTTP/2 as it takes to see whether a WebSocket over it works (RFC 9113, RFC 8441).

A browser opens WebSockets over HTTP/2 only where the server announces extended CONNECT; most
proxies do not, and then it uses HTTP/1.1, which the other probes try.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Iterable

from .raw import hang_up
from .target import Target

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, GOAWAY, CONTINUATION = 1, 3, 4, 7, 9
_END_HEADERS, _ACKNOWLEDGED, _PADDED, _PRIORITY = 0x4, 0x1, 0x8, 0x20
ENABLE_CONNECT_PROTOCOL = 8
_STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
"""Indices of HPACK's static table (RFC 7541 appendix A)."""

_DIGITS = {f"{n:05b}": str(n) for n in range(3)} | {f"{0x19 + n:06b}": str(3 + n) for n in range(7)}
"""Huffman codes of the digits (RFC 7541 appendix B)."""


async def websocket_status(
    target: Target, tls: ssl.SSLContext, fields: Iterable[tuple[str, str]], path: str
) -> int | None:
    """The status of a WebSocket handshake over HTTP/2: 200 if it works, 0 if it was reset.

    None where browsers do not try: HTTP/2 is not spoken, or extended CONNECT is not announced.

    Args:
        target: Whom to ask.
        tls: Trust, with ``h2`` offered by ALPN.
        fields: Of the request, with names in lower case.
        path: With Jupyter's base_url.

    Raises:
        OSError: There is no connection.
        asyncio.IncompleteReadError: It ended.
    """
    reader, writer = await asyncio.open_connection(
        target.host, target.port, ssl=tls, server_hostname=target.host
    )
    try:
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            return None
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b""))
        while True:
            kind, flags, _, payload = await _next_frame(reader)
            if kind == SETTINGS and not flags & _ACKNOWLEDGED:
                break
        if not announces_connect(payload):
            return None
        request = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", path),
            (":authority", target.authority),
            ("sec-websocket-version", "13"),
            *fields,
        ]
        block = b"".join(literal(name, value) for name, value in request)
        writer.write(
            frame(SETTINGS, _ACKNOWLEDGED, 0, b"") + frame(HEADERS, _END_HEADERS, 1, block)
        )
        while True:
            kind, flags, stream, payload = await _next_frame(reader)
            if kind == HEADERS and stream == 1:
                return status_in(_without_padding(flags, payload))
            if kind == GOAWAY or (kind == RST_STREAM and stream == 1):
                return 0
    finally:
        await hang_up(writer)


async def _next_frame(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Type, flags, stream and payload of a frame (RFC 9113 section 4.1)."""
    head = await reader.readexactly(9)
    length = int.from_bytes(head[:3], "big")
    stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
    return head[3], head[4], stream, await reader.readexactly(length)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame (RFC 9113 section 4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload
    )


def announces_connect(settings: bytes) -> bool:
    """Whether a SETTINGS payload allows WebSockets (RFC 8441 section 3)."""
    pairs = (settings[n : n + 6] for n in range(0, len(settings) - 5, 6))
    return (ENABLE_CONNECT_PROTOCOL, 1) in [struct.unpack(">HI", pair) for pair in pairs]


def literal(name: str, value: str) -> bytes:
    """A field that is not indexed, without Huffman coding (RFC 7541 section 6.2.2)."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode("latin-1")
    length, rest = (len(data), b"") if len(data) < 127 else (127, b"")
    if length == 127:
        more = len(data) - 127
        while more >= 128:
            rest += bytes((more % 128 + 128,))
            more //= 128
        rest += bytes((more,))
    return bytes((length,)) + rest + data


def _without_padding(flags: int, payload: bytes) -> bytes:
    padding = 0
    if flags & _PADDED:
        padding, payload = payload[0], payload[1:]
    if flags & _PRIORITY:
        payload = payload[5:]
    return payload[: len(payload) - padding]


def status_in(block: bytes) -> int:
    """``:status``, which is the first field of a response; 0 if it cannot be read."""
    while block and block[0] & 0xE0 == 0x20:  # the size of the dynamic table
        block = block[1:] if block[0] & 0x1F != 0x1F else block[2:]
    if not block:
        return 0
    if block[0] & 0x80:
        return _STATUSES.get(block[0] & 0x7F, 0)
    named = block[0] & (0x3F if block[0] & 0x40 else 0x0F)
    if named not in range(8, 15) or len(block) < 2:
        return 0
    value = block[2 : 2 + (block[1] & 0x7F)]
    text = _digits(value) if block[1] & 0x80 else value.decode("latin-1")
    return int(text) if text.isdigit() else 0


def _digits(coded: bytes) -> str:
    """Huffman-coded digits."""
    bits, text = "".join(f"{byte:08b}" for byte in coded), ""
    while len(text) < 3:
        for length in (5, 6):
            if bits[:length] in _DIGITS:
                text, bits = text + _DIGITS[bits[:length]], bits[length:]
                break
        else:
            break
    return text

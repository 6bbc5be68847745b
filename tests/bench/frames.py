"""WebSocket frames, ready made (RFC 6455 section 5.2)."""

from __future__ import annotations

import struct

BINARY_FINAL = 0x82
MASKED = 0x80


def server_frame(size: int) -> bytes:
    """One unmasked binary message of ``size`` bytes."""
    return _head(size, 0) + b"x" * size


def client_frame(size: int) -> bytes:
    """One binary message of ``size`` bytes, masked with the key 0, which changes nothing."""
    return _head(size, MASKED) + b"\0\0\0\0" + b"x" * size


def _head(size: int, mask: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", BINARY_FINAL, mask | size)
    if size < 2**16:
        return struct.pack("!BBH", BINARY_FINAL, mask | 126, size)
    return struct.pack("!BBQ", BINARY_FINAL, mask | 127, size)

"""The one thing labgate reads in a ClientHello itself: the application protocols offered.

Everything else of TLS is OpenSSL's; Python has no way to ask it for this.
"""

from __future__ import annotations

HANDSHAKE = 22
CLIENT_HELLO = 1
ALPN = 16


def offered_protocols(octets: bytes) -> tuple[bytes, ...]:
    """The protocols of a ClientHello's ALPN extension, in order (RFC 7301 section 3.1).

    Args:
        octets: What a client has sent from its first octet on: TLS records, the hello
            possibly divided among several (RFC 8446 section 5.1).

    Returns:
        Nothing when there is no such extension, or no complete, well-formed hello.
    """
    message = _Reader(_handshake(octets))
    try:
        if message.number(1) != CLIENT_HELLO:
            return ()
        hello = _Reader(message.vector(3))
        hello.take(2 + 32)  # legacy_version, random
        hello.vector(1)  # legacy_session_id
        hello.vector(2)  # cipher_suites
        hello.vector(1)  # legacy_compression_methods
        extensions = _Reader(hello.vector(2))
        while extensions.rest:
            kind = extensions.number(2)
            content = _Reader(extensions.vector(2))
            if kind == ALPN:
                names = _names(content.vector(2))
                return () if content.rest else tuple(names)
    except _ShortError:
        pass
    return ()


def _names(octets: bytes) -> list[bytes]:
    names = _Reader(octets)
    found = []
    while names.rest:
        found.append(names.vector(1))
    return found


def _handshake(octets: bytes) -> bytes:
    """The content of the leading handshake records."""
    content = b""
    while len(octets) > 5 and octets[0] == HANDSHAKE:
        end = 5 + int.from_bytes(octets[3:5])
        content += octets[5:end]
        octets = octets[end:]
    return content


class _ShortError(Exception):
    """It ends before it should."""


class _Reader:
    """Numbers and vectors as TLS writes them (RFC 8446 section 3)."""

    def __init__(self, octets: bytes) -> None:
        self.rest = octets

    def take(self, count: int) -> bytes:
        if count > len(self.rest):
            raise _ShortError
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets))

    def vector(self, length_octets: int) -> bytes:
        return self.take(self.number(length_octets))

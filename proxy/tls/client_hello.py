"""Reads the length of a ClientHello, and the application protocols that it offers.

Everything else of TLS is done by OpenSSL; Python's ``ssl`` does not show these two.
"""

from __future__ import annotations

HANDSHAKE = 22
CLIENT_HELLO = 1
ALPN = 16

MAX_HELLO_BYTES = 16 * 1024
"""The maximum size of a hello, with the heads of its records. Browsers send 600 to 2,000
octets."""

RECORD_HEAD_BYTES = 5
MESSAGE_HEAD_BYTES = 4


class PartialHello:
    """Measures how much of a ClientHello is missing; reads no octet twice."""

    __slots__ = ("_at", "_content_bytes", "_start")

    def __init__(self) -> None:
        self._at = 0  # where the first record begins that was not complete
        self._content_bytes = 0  # in the records before it
        self._start = b""  # of this content

    def bytes_to_wait_for(self, octets: bytes) -> int:
        """How many octets must have arrived before the next call is useful.

        0 if waiting is useless: the hello is complete, or this can never become one.

        Args:
            octets: What a client has sent, from its first octet on.
        """
        left_bytes = 1
        while len(octets) >= self._at + RECORD_HEAD_BYTES:
            begin = self._at + RECORD_HEAD_BYTES
            size = int.from_bytes(octets[begin - 2 : begin])
            end = begin + size
            missing = MESSAGE_HEAD_BYTES - len(self._start)
            start = self._start + octets[begin : min(end, begin + missing)]
            if octets[self._at] != HANDSHAKE or not size or (start and start[0] != CLIENT_HELLO):
                return 0
            if len(start) == MESSAGE_HEAD_BYTES:
                message_bytes = MESSAGE_HEAD_BYTES + int.from_bytes(start[1:])
                left_bytes = message_bytes - self._content_bytes - size
                if left_bytes <= 0 and len(octets) >= end:
                    return 0
            if len(octets) < end:
                return end
            self._at, self._start = end, start
            self._content_bytes += size
        # At least one more record, with everything that is left.
        return self._at + RECORD_HEAD_BYTES + left_bytes


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
        while extensions.remaining:
            kind = extensions.number(2)
            content = _Reader(extensions.vector(2))
            if kind == ALPN:
                names = _names(content.vector(2))
                return () if content.remaining else tuple(names)
    except _TruncatedError:
        pass
    return ()


def _names(octets: bytes) -> list[bytes]:
    names = _Reader(octets)
    found = []
    while names.remaining:
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


class _TruncatedError(Exception):
    """The octets end in a number or a vector."""


class _Reader:
    """Numbers and vectors as TLS writes them (RFC 8446 section 3)."""

    def __init__(self, octets: bytes) -> None:
        self.remaining = octets

    def take(self, count: int) -> bytes:
        if count > len(self.remaining):
            raise _TruncatedError
        taken, self.remaining = self.remaining[:count], self.remaining[count:]
        return taken

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets))

    def vector(self, length_octets: int) -> bytes:
        return self.take(self.number(length_octets))

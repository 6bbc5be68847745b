"""Checks the octets of a request head, before a parser may repair them.

RFC 9112 allows parsers to be lenient (sections 2.2 and 3: a bare LF, several spaces). If two
parsers are lenient in different ways, requests can be smuggled. So the whole grammar of a head is
checked on the octets as received; ``framing`` then reads how the content ends.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .decision import Refuse
from .head import Field

END = b"\r\n\r\n"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_TARGET = rb"[!-~]++"
_VALUE = rb"[\t -~\x80-\xff]*+"
_REQUEST_LINE = re.compile(b"(" + _TOKEN + b") (" + _TARGET + rb") HTTP/([0-9])\.([0-9])")
_HEAD = re.compile(
    _TOKEN + b" " + _TARGET + rb" HTTP/1\.[0-9]\r\n"
    b"(?:" + _TOKEN + b":" + _VALUE + rb"\r\n)*+\r\n"
)
"""RFC 9112 sections 3 and 5; possessive, so that no octet is matched twice."""
_FIELD = re.compile(rb"\r\n([^:\r\n]++):[ \t]*+([^\r\n]*+)")
_TLS_HANDSHAKE = re.compile(rb"\x16(?:\x03|\Z)")
"""How the first record of a TLS connection begins: type and version (RFC 8446 section 5.1)."""
_CONTROLS = bytes(octet for octet in (*range(0x20), 0x7F) if octet not in b"\t\r\n")


def check_head(
    head: bytes, max_line_bytes: int, max_head_bytes: int, max_fields: int
) -> Refuse | None:
    """Refuse a malformed or too long head.

    Args:
        head: From the request line to the empty line, both included.
        max_line_bytes: The limit of octets of the request line.
        max_head_bytes: The limit of octets of all field lines together.
        max_fields: The limit of field lines.
    """
    line = head.find(b"\r\n")
    if line > max_line_bytes:
        return too_long_target()
    if len(head) - line > max_head_bytes or head.count(b"\n") - 2 > max_fields:
        return too_many_fields()
    if _HEAD.fullmatch(head) is None or head.startswith(b"PRI "):
        sentence = "A header field of this request is not well-formed."
        refusal = read_request_line(head[:line])
        return refusal if isinstance(refusal, Refuse) else malformed(sentence, "fields")
    return None


class RequestLine(NamedTuple):
    """A well-formed request line.

    Attributes:
        method: The method.
        target: The request target, byte for byte.
        version: (1, 0) or (1, 1); a later minor version is 1.1 (RFC 9110 section 2.5).
    """

    method: bytes
    target: bytes
    version: tuple[int, int]


def read_request_line(line: bytes) -> RequestLine | Refuse:
    """Parse exactly ``method SP request-target SP HTTP-version`` (RFC 9112 section 3)."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return malformed("This is not a well-formed HTTP/1.1 request line.", "request-line")
    method, target, major, minor = match.groups()
    if major != b"1":
        # RFC 9110 section 15.6.6.
        return Refuse(505, "version", "This server speaks HTTP/1.1 and HTTP/1.0.", close=True)
    if method == b"PRI":
        # RFC 9113 section 11.6: reserved, and llhttp waits for the rest of the preface.
        return Refuse(501, "method", "This server does not know this method.", close=True)
    return RequestLine(method, target, (1, 0) if minor == b"0" else (1, 1))


def check_lines(octets: bytes) -> Refuse | None:
    """Refuse a CR or LF alone, and control characters other than the tab.

    Sources: RFC 9112 section 2.2, RFC 9110 section 5.5. The LF of a CR at the end may follow.
    """
    pairs = octets.count(b"\r\n")
    alone = octets.count(b"\r") - octets.endswith(b"\r") - pairs or octets.count(b"\n") - pairs
    if alone or len(octets.translate(None, _CONTROLS)) != len(octets):
        return malformed("This is not a well-formed HTTP/1.1 request.", "control-characters")
    return None


def tls_handshake(octets: bytes) -> Refuse | None:
    """Refuse a client that begins a TLS handshake where a request line is expected."""
    if _TLS_HANDSHAKE.match(octets) is None:
        return None
    return Refuse(
        400,
        "tls",
        "This port speaks plain HTTP: open the same address with http:// in front.",
        close=True,
        hint="TLS where plain HTTP is spoken; the client, or a proxy in front, must use http:// "
        "for this port",
    )


def field_lines(octets: bytes) -> tuple[Field, ...]:
    """Parse the field lines of a well-formed head.

    Args:
        octets: From the end of the request line to the end of the head.
    """
    fields = _FIELD.findall(octets)
    if b" \r\n" in octets or b"\t\r\n" in octets:
        # RFC 9112 section 5.1: whitespace around a value is no part of it.
        fields = [(name, value.rstrip()) for name, value in fields]
    return tuple(fields)


def malformed(sentence: str, rule: str) -> Refuse:
    """400; the octets that follow cannot be trusted."""
    return Refuse(400, rule, sentence, close=True)


def too_long_target() -> Refuse:
    """414 (RFC 9112 section 3)."""
    return Refuse(414, "request-line", "The request target is too long.", close=True)


def too_many_fields() -> Refuse:
    """431 (RFC 6585 section 5)."""
    sentence = "The request's header fields are too long or too many."
    return Refuse(431, "fields", sentence, close=True)

"""A request head as octets: what is refused before any parser may repair it.

Parsers are lenient where RFC 9112 allows it (sections 2.2 and 3: a bare LF, several
spaces), and two that are lenient in different ways are how requests get smuggled. So the
request line, the line ends and the framing are judged here, on the octets that came; the
rest of the field syntax is the parser's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .model import Refuse

END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\x80-\xff]+ HTTP/([0-9])\.[0-9]")
_CONTROLS = bytes(octet for octet in (*range(0x20), 0x7F) if octet not in b"\t\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")


class Framing(NamedTuple):
    """How the octets behind a head are to be read (RFC 9112 section 6.3).

    Attributes:
        length: Octets of content; 0 for none.
        chunked: Content in chunks, whose end only the parser knows.
        switches: Perhaps another protocol follows: nothing may be read as a request
            before the answer has decided it.
    """

    length: int = 0
    chunked: bool = False
    switches: bool = False


NO_CONTENT = Framing()


def check_head(head: bytes, most_line: int, most_head: int, most_fields: int) -> Refuse | Framing:
    """Judge a whole head, its empty line included and without one before it.

    Args:
        head: Ends with CRLF CRLF.
        most_line: Octets of the request line.
        most_head: Octets of all field lines together.
        most_fields: Field lines.
    """
    line = head.find(b"\r\n")
    if line > most_line:
        return too_long_target()
    refusal = check_request_line(head[:line])
    if refusal is not None:
        return refusal
    lines = head.count(b"\n")
    if lines != head.count(b"\r\n"):
        return malformed("Lines end with CR LF in HTTP/1.1.", "line-end")
    if len(head) - line > most_head or lines - 2 > most_fields:
        return too_many_fields()
    fields = head[line:].lower()
    switches = b"\r\nupgrade:" in fields or head.startswith(b"CONNECT ")
    if b"\r\ntransfer-encoding:" in fields:
        return Framing(chunked=True, switches=switches)
    lengths = fields.count(b"\r\ncontent-length:")
    if not lengths:
        return Framing(switches=True) if switches else NO_CONTENT
    length = _LENGTH.search(fields)
    if lengths > 1 or length is None:
        return malformed("Content-Length must be there once, as one number.", "content-length")
    return Framing(int(length[1]), switches=switches)


def check_request_line(line: bytes) -> Refuse | None:
    """``method SP request-target SP HTTP-version``, exactly (RFC 9112 section 3)."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return malformed("This is not a well-formed HTTP/1.1 request line.", "request-line")
    if match[1] != b"1":
        # RFC 9110 section 15.6.6.
        return Refuse(505, "version", "labgate speaks HTTP/1.1 and HTTP/1.0.", close=True)
    if line.startswith(b"PRI "):
        # RFC 9113 section 11.6: reserved, and llhttp waits for the rest of the preface.
        return Refuse(501, "method", "labgate does not know this method.", close=True)
    return None


def check_lines(octets: bytes) -> Refuse | None:
    """CR and LF only together, and no other control character but the tab.

    RFC 9112 section 2.2, RFC 9110 section 5.5. A CR at the very end may get its LF yet.
    """
    pairs = octets.count(b"\r\n")
    alone = octets.count(b"\r") - octets.endswith(b"\r") - pairs or octets.count(b"\n") - pairs
    if alone or len(octets.translate(None, _CONTROLS)) != len(octets):
        return malformed("This is not a well-formed HTTP/1.1 request.", "control-characters")
    return None


def as_1_1(head: bytes) -> bytes:
    """A head of a later minor version, as one of HTTP/1.1 (RFC 9110 section 2.5)."""
    minor = head.find(b"\r\n") - 1
    return head if head[minor] in b"01" else head[:minor] + b"1" + head[minor + 1 :]


def malformed(sentence: str, rule: str) -> Refuse:
    """400, and nothing behind it can be trusted."""
    return Refuse(400, rule, sentence, close=True)


def too_long_target() -> Refuse:
    """RFC 9112 section 3."""
    return Refuse(414, "request-line", "The request target is too long.", close=True)


def too_many_fields() -> Refuse:
    """RFC 6585 section 5."""
    sentence = "The request's header fields are too long or too many."
    return Refuse(431, "fields", sentence, close=True)

"""Entity tags of labgate's own, and which ranges Jupyter is not asked for.

A client that has the beginning of a response asks for the rest with Range, and with If-Range only
if the representation is still the one that it has (RFC 9110 section 13.1.5). If it has it from
labgate, compressed, Jupyter cannot know: tornado answers Range whatever If-Range says
(``web.StaticFileHandler.get``), and its octets would continue others. Then the client gets the
whole, as Range may always be ignored (section 14.2).
"""

from __future__ import annotations

import hashlib

from .head import RequestHead

RANGE_FIELDS = frozenset({b"range", b"if-range"})
"""In lower case."""

_OWN = b'"labgate-'


def own_etag(content: bytes, coding: bytes) -> bytes:
    """The entity tag of octets that labgate sends as they are in ``content``.

    It is a strong one (RFC 9110 section 8.8.3): another encoder, or another setting of it, makes
    other octets of the same content.
    """
    digest = hashlib.sha256(content).hexdigest()[:32].encode("ascii")
    return b'%b%b-%b"' % (_OWN, digest, coding) if coding else b'%b%b"' % (_OWN, digest)


def continues_own(request: RequestHead) -> bool:
    """Whether the client wants to continue what it has from labgate, not from Jupyter.

    Weak tags are among those that ``rules.compression`` makes; nothing can be continued by any of
    them.
    """
    return any(tag.startswith((_OWN, b"W/")) for tag in request.values(b"if-range"))

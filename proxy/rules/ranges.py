"""Entity tags of labgate's own, and which ranges Jupyter is not asked for.

A client that has the beginning of a response asks for the rest with Range, and with If-Range only
if the representation is still the one that it has (RFC 9110 section 13.1.5). If labgate sent that
beginning compressed, Jupyter cannot know it. tornado answers Range whatever If-Range says
(``web.StaticFileHandler.get``), so the client would join octets of two representations. labgate
removes Range, and the client gets the whole file, which is always allowed (section 14.2).
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


def may_be_continued(request: RequestHead, compressible: tuple[bytes, ...]) -> bool:
    """Whether Jupyter may answer the request's Range, as far as that depends on If-Range.

    An entity tag matches by strong comparison only. A tag of labgate's stands, or stood, for octets
    that Jupyter does not have.

    A date is the same one for the content as Jupyter sends it and for what labgate has made of it,
    compressed with this or that coding. So it is no strong validator for a target that may be
    compressed (section 8.8.2.2). Elsewhere it is Jupyter's own, and Jupyter's to judge.

    Args:
        request: The client's. Without If-Range, its Range has no condition.
        compressible: How the targets begin whose content may be compressed.
    """
    conditions = request.values(b"if-range")
    if len(conditions) != 1:
        return not conditions
    condition = conditions[0]
    if _is_date(condition):
        return not request.target.startswith(compressible)
    return not condition.startswith(b"W/") and _OWN not in condition


def _is_date(condition: bytes) -> bool:
    """As section 13.1.5 tells a date from an entity tag: that has a quote at its beginning."""
    return b'"' not in condition[:3]

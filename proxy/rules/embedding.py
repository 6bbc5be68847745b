"""Pages of Jupyter in frames of listed sites (``site.embed_in``).

Three things belong together: Jupyter's Content-Security-Policy must name the sites, browsers must
send the cookies in a frame of theirs, and the request for the frame must be let in.
"""

from __future__ import annotations

from collections.abc import Iterable

from .head import Field, RequestHead
from .site import Site

_ANCESTORS = b"frame-ancestors"
_REPLACED = frozenset({b"secure", b"samesite", b"partitioned"})


def frame_ancestors(policies: bytes, site: Site) -> bytes:
    """A Content-Security-Policy whose frame-ancestors name the listed sites, and the site itself.

    Other directives, and policies without this one, are unchanged (Content Security Policy Level 3,
    section 6.4.2). A comma separates policies, and a semicolon directives.
    """
    allowed = b" ".join([_ANCESTORS, b"'self'", *site.embed_in])
    return b",".join(
        b";".join(_replaced(directive, allowed) for directive in policy.split(b";"))
        for policy in policies.split(b",")
    )


def _replaced(directive: bytes, allowed: bytes) -> bytes:
    bare = directive.strip()
    if bare.partition(b" ")[0].lower() != _ANCESTORS:
        return directive
    return directive.replace(bare, allowed)


def embedded_cookie(value: bytes) -> bytes:
    """A Set-Cookie that browsers accept in a frame of another site.

    ``Partitioned`` gives each site that has the frame a login of its own (CHIPS), so a site that is
    not listed has none, whatever it does.
    """
    pair, *attributes = value.split(b";")
    kept = [one for one in attributes if one.partition(b"=")[0].strip().lower() not in _REPLACED]
    return b";".join([pair, *kept, b" Secure", b" SameSite=None", b" Partitioned"])


def embedded(fields: Iterable[Field], site: Site) -> tuple[Field, ...]:
    """The fields of a response of labgate's own, as they must be in a frame of a listed site."""
    if not site.embed_in:
        return tuple(fields)
    return tuple((name, _embedded(name.lower(), value, site)) for name, value in fields)


def _embedded(name: bytes, value: bytes, site: Site) -> bytes:
    if name == b"content-security-policy":
        return frame_ancestors(value, site)
    return embedded_cookie(value) if name == b"set-cookie" else value


def is_frame_of_listed_site(head: RequestHead, site: Site) -> bool:
    """Whether a page may have caused this navigation of a frame of its own.

    Whose page it is, is in Referer, if the page lets the browser send it; if not, the response's
    frame-ancestors decide whether it is shown.
    """
    if not site.embed_in or head.values(b"sec-fetch-dest") != (b"iframe",):
        return False
    return all(_origin_of(referer) in site.embed_in for referer in head.values(b"referer"))


def _origin_of(url: bytes) -> bytes:
    scheme, separator, rest = url.partition(b"://")
    return (scheme + separator + rest.partition(b"/")[0]).lower()

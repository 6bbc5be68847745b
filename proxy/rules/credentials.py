"""The credentials that are labgate's own: they end here and never reach Jupyter.

Whoever takes over the Jupyter container must not learn passwords, nor get hold of a
cookie that opens the gate.
"""

from __future__ import annotations

from collections.abc import Sequence

SESSION_COOKIE = b"__Host-labgate"
"""With this prefix browsers take it only from the site itself, over HTTPS (RFC 6265bis)."""


def is_basic(authorization: bytes) -> bool:
    """Whether a value of Authorization has the scheme Basic, in any case (RFC 9110 section 11.1).

    ``token`` and ``Bearer`` are Jupyter's.
    """
    return authorization[:5].lower() == b"basic" and authorization[5:6] in (b"", b" ", b"\t")


def session_cookies(cookie: Sequence[bytes]) -> list[bytes]:
    """The values of our cookie in the values of Cookie."""
    return [
        pair.partition(b"=")[2].strip(b" \t")
        for value in cookie
        if SESSION_COOKIE in value
        for pair in value.split(b";")
        if _is_ours(pair)
    ]


def without_session(cookie: bytes) -> bytes | None:
    """A value of Cookie without ours; every other octet stays. None when nothing is left."""
    if SESSION_COOKIE not in cookie:
        return cookie
    pairs = cookie.split(b";")
    kept = [pair for pair in pairs if not _is_ours(pair)]
    if len(kept) == len(pairs):
        return cookie
    if kept and _is_ours(pairs[0]):
        kept[0] = kept[0].lstrip(b" \t")
    return b";".join(kept) if any(pair.strip(b" \t") for pair in kept) else None


def sets_session(set_cookie: bytes) -> bool:
    """Whether a value of Set-Cookie would make a browser send something under our name.

    Also without a name of its own: browsers of some years send ``=NAME=VALUE`` back as
    ``NAME=VALUE`` (RFC 6265bis section 5.7, step 20).
    """
    return SESSION_COOKIE in set_cookie and _is_ours(set_cookie.partition(b";")[0].lstrip(b" \t="))


def _is_ours(pair: bytes) -> bool:
    return pair.partition(b"=")[0].strip(b" \t") == SESSION_COOKIE

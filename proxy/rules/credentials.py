"""Finds labgate's own credentials, which are never forwarded, and Jupyter's tokens.

An attacker who controls the Jupyter container must learn neither passwords nor session cookies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_to_bytes

from .head import Field, RequestHead

SESSION_COOKIE = b"__Host-labgate"
"""Browsers accept this prefix only from the site itself, over HTTPS (RFC 6265bis)."""


_TOKEN = re.compile(r"(?:token|bearer)\s+(.+)", re.IGNORECASE)
"""``IdentityProvider.auth_header_pat``; matched as text, which knows more white space."""


def is_basic(authorization: bytes) -> bool:
    """Whether a value of Authorization has the scheme Basic, in any case (RFC 9110 section 11.1).

    ``token`` and ``Bearer`` are Jupyter's.
    """
    return authorization[:5].lower() == b"basic" and authorization[5:6] in (b"", b" ", b"\t")


def tokens(head: RequestHead) -> bytes:
    """All tokens of a request, joined; empty for none.

    As Jupyter finds them (``IdentityProvider.get_token``): the parameter ``token`` of the query,
    its name and value decoded once (tornado ``parse_qs_bytes``), and ``Authorization: token``
    or ``Bearer``. Jupyter uses one of several; here each combination counts as another guess.
    """
    fields = head.values(b"authorization")
    query = head.target.partition(b"?")[2]
    if b"token" not in query and b"%" not in query and len(fields) < 2:
        # Most requests have at most this one.
        return _token_of(fields[0]) if fields else b""
    found = {*map(_token_of, fields), *_query_tokens(query)}
    found.discard(b"")
    return b"\0".join(sorted(found))


def without_token(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields without tokens."""
    return tuple(
        field for field in fields if field[0].lower() != b"authorization" or is_basic(field[1])
    )


def _token_of(authorization: bytes) -> bytes:
    match = _TOKEN.match(authorization.decode("latin-1").strip())
    return b"" if match is None else match[1].encode("latin-1").strip()


def _query_tokens(query: bytes) -> Iterator[bytes]:
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if value and (name == b"token" or (b"%" in name and unquote_to_bytes(name) == b"token")):
            yield unquote_to_bytes(value.replace(b"+", b" ")).strip()


def session_cookies(cookie: Sequence[bytes]) -> list[bytes]:
    """The values of labgate's session cookie in the values of Cookie."""
    values = [value for value in cookie if SESSION_COOKIE in value]
    return [value for name, value in pairs(values) if name == SESSION_COOKIE]


def pairs(cookie: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Every name and value in the values of Cookie."""
    for field in cookie:
        for pair in field.split(b";"):
            name, _, value = pair.partition(b"=")
            yield name.strip(), value.strip()


def without_session(cookie: bytes) -> bytes | None:
    """A value of Cookie without the session cookie, else unchanged; None if nothing is left."""
    if SESSION_COOKIE not in cookie:
        return cookie
    pairs = cookie.split(b";")
    remaining = [pair for pair in pairs if not _is_ours(pair)]
    if len(remaining) == len(pairs):
        return cookie
    if remaining and _is_ours(pairs[0]):
        remaining[0] = remaining[0].lstrip()
    return b";".join(remaining) if any(pair.strip() for pair in remaining) else None


def sets_session(set_cookie: bytes) -> bool:
    """Whether a value of Set-Cookie would make a browser send a session cookie.

    Also a cookie without a name: older browsers send ``=NAME=VALUE`` back as ``NAME=VALUE``
    (RFC 6265bis section 5.7, step 20).
    """
    return SESSION_COOKIE in set_cookie and _is_ours(set_cookie.partition(b";")[0].lstrip(b" \t="))


def _is_ours(pair: bytes) -> bool:
    return pair.partition(b"=")[0].strip() == SESSION_COOKIE

"""The session cookie, issued after a password was right.

JupyterLab sends ``Authorization: token …`` with its own requests, which replaces the password,
and not every browser sends the password with WebSockets. Browsers send a cookie with all of them.

The cookie is ``VERSION.SECONDS.SESSION.USER.SIGNATURE``: the time of issue, a random name of the
session, the user in base64url, and an HMAC-SHA-256 of these and of the user's hash in the htpasswd
file. So a session ends when the user is removed or gets another password, and labgate stores
only the names of revoked sessions.
"""

from __future__ import annotations

import base64
import hmac
import logging
import secrets
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proxy.rules.credentials import SESSION_COOKIE, session_cookies
from proxy.rules.head import Field
from proxy.runtime.secret_files import read_or_create_secret

log = logging.getLogger("labgate")

SESSION_LIFETIME_SECONDS = 7 * 24 * 3600
"""Long enough for a page on a laptop that sleeps over a long weekend."""

RENEW_AFTER_SECONDS = 24 * 3600
"""Sessions in daily use do not expire, and few responses set a new cookie."""

CLOCK_SKEW_SECONDS = 24 * 3600
"""Setting the clock back by less does not end a session."""

KEY_FILE = "session-key"
KEY_BYTES = 32
_VERSION = b"2"
_NAME_OCTETS = 12
_MAX_COOKIES = 4
_MAX_VERIFIED = 1024


_ATTRIBUTES = b"; Path=/; Secure; HttpOnly; SameSite=Lax"
CLEAR_SESSION_COOKIE: Field = (b"Set-Cookie", SESSION_COOKIE + b"=" + _ATTRIBUTES + b"; Max-Age=0")
"""Makes a browser delete the cookie."""


class Session(NamedTuple):
    """A valid cookie; a renewed one has the same ``name``."""

    user: str
    issued: int
    name: str

    def needs_renewal(self, now: float) -> bool:
        """Whether the response should set a new cookie."""
        return now - self.issued > RENEW_AFTER_SECONDS


class Sessions:
    """Issues and checks the cookies; ``now`` is in seconds since 1970.

    Args:
        key: Signs the cookies.
        revoked: Sessions that are no longer valid.
    """

    def __init__(self, key: bytes, revoked: Container[Session] = ()) -> None:
        self._key = key
        self._revoked = revoked
        self._verified: dict[bytes, tuple[Session, str]] = {}

    def issue(self, user: str, hashed: str, now: float, name: str = "") -> Field:
        """The Set-Cookie field for a user whose password was right.

        It has no Max-Age: browsers delete the cookie when they close, as they do the password.

        Args:
            user: The user's name.
            hashed: The user's hash in the htpasswd file.
            now: The time of issue.
            name: The name of the session to renew; empty for a new session.
        """
        whose = base64.urlsafe_b64encode(user.encode("utf-8")).rstrip(b"=")
        session = (name or secrets.token_urlsafe(_NAME_OCTETS)).encode("ascii")
        signed = b"%b.%d.%b.%b" % (_VERSION, int(now), session, whose)
        value = signed + b"." + self._signature(signed, hashed)
        return (b"Set-Cookie", SESSION_COOKIE + b"=" + value + _ATTRIBUTES)

    def find(self, cookie: Sequence[bytes], users: Mapping[str, str], now: float) -> Session | None:
        """The first valid session in the values of Cookie."""
        return next(self.valid(cookie, users, now), None)

    def valid(
        self, cookie: Sequence[bytes], users: Mapping[str, str], now: float
    ) -> Iterator[Session]:
        """Every valid session in the values of Cookie."""
        for value in session_cookies(cookie)[:_MAX_COOKIES]:
            verified = self._verified.get(value) or self._check(value, users)
            if verified is None:
                continue
            session, hashed = verified
            if (
                users.get(session.user) == hashed
                and session.issued - CLOCK_SKEW_SECONDS
                <= now
                < session.issued + SESSION_LIFETIME_SECONDS
                and session not in self._revoked
            ):
                yield session

    def _check(self, value: bytes, users: Mapping[str, str]) -> tuple[Session, str] | None:
        """The session and the hash it was signed with; None if the signature is wrong."""
        parts = value.split(b".")
        if len(parts) != 5 or parts[0] != _VERSION:
            return None
        _, issued, name, whose, signature = parts
        try:
            # More padding than needed is ignored.
            user = base64.urlsafe_b64decode(whose + b"==").decode("utf-8")
        except ValueError:
            return None
        hashed = users.get(user)
        if hashed is None:
            return None
        signed = value.rpartition(b".")[0]
        if not hmac.compare_digest(signature, self._signature(signed, hashed)):
            return None
        if len(self._verified) >= _MAX_VERIFIED:
            self._verified.clear()
        # From here on it is what labgate itself wrote.
        verified = Session(user, int(issued), name.decode("ascii")), hashed
        # Remember verified cookies: the many requests of a page then cost one HMAC.
        self._verified[value] = verified
        return verified

    def _signature(self, signed: bytes, hashed: str) -> bytes:
        message = b"labgate session\0" + signed + b"\0" + hashed.encode("utf-8")
        digest = hmac.digest(self._key, message, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=")


def session_key(folder: Path) -> bytes:
    """Read ``<folder>/session-key``; create it with mode 0600 if it is missing.

    It is stored so that sessions survive a restart, and so that several processes with one
    state folder use the same key. If it cannot be stored, a warning is logged and the key is
    valid for this process only.
    """
    path = folder / KEY_FILE
    try:
        key = bytes.fromhex(read_or_create_secret(path, KEY_BYTES))
        problem = "" if len(key) == KEY_BYTES else "it is damaged; remove it"
    except OSError as error:
        problem = f"{error.strerror}; make the folder writable, or set state.folder"
    except ValueError:
        problem = "it is damaged; remove it"
    if not problem:
        return key
    log.warning("%s: %s. Logins will not outlast this labgate.", path, problem)
    return secrets.token_bytes(KEY_BYTES)

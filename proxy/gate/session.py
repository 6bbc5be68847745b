"""The cookie that stands for a password once it was right.

JupyterLab puts ``Authorization: token …`` on its own requests, where the browser then
cannot put the password, and not every browser puts it on WebSockets. A cookie goes along
with all of them.

``VERSION.SECONDS.USER.SIGNATURE``: when it was issued, base64url of the name, and an
HMAC-SHA-256 over both and the user's hash in the htpasswd file. So it ends at once when the
user is removed or gets another password, and nothing has to be stored.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proxy.kept import kept_secret
from proxy.rules.credentials import SESSION_COOKIE, session_cookies
from proxy.rules.model import Field

log = logging.getLogger("labgate")

LIFE_SECONDS = 7 * 24 * 3600
"""A laptop that slept over a long weekend finds its page working."""

RENEWED_AFTER_SECONDS = 24 * 3600
"""A page in daily use never loses it, and few answers carry a new one."""

KEY_FILE = "session-key"
KEY_BYTES = 32
_VERSION = b"1"
_MOST_COOKIES = 4
_LONGEST = 4096
_MOST_PROVEN = 1024
_CLOCK_SECONDS = 24 * 3600


class Session(NamedTuple):
    """A valid cookie."""

    user: str
    issued: int

    def wants_renewal(self, now: float) -> bool:
        """Whether it is time for a new one."""
        return now - self.issued > RENEWED_AFTER_SECONDS


class Sessions:
    """Issues and checks the cookies; ``now`` is in seconds since 1970."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._proven: dict[bytes, tuple[Session, str]] = {}

    def issue(self, user: str, hashed: str, now: float) -> Field:
        """The Set-Cookie field for a user who proved to be one.

        Without Max-Age: it goes with the browser window, as the password does.
        """
        name = base64.urlsafe_b64encode(user.encode("utf-8")).rstrip(b"=")
        signed = b"%b.%d.%b" % (_VERSION, int(now), name)
        value = signed + b"." + self._signature(signed, hashed)
        attributes = b"; Path=/; Secure; HttpOnly; SameSite=Lax"
        return (b"Set-Cookie", SESSION_COOKIE + b"=" + value + attributes)

    def find(self, cookie: Sequence[bytes], users: Mapping[str, str], now: float) -> Session | None:
        """The first valid session in the values of Cookie."""
        for value in session_cookies(cookie)[:_MOST_COOKIES]:
            session, hashed = self._proven.get(value) or self._check(value, users)
            # A clock that was set back by hours does not end a session.
            if (
                session is not None
                and users.get(session.user) == hashed
                and session.issued - _CLOCK_SECONDS <= now < session.issued + LIFE_SECONDS
            ):
                return session
        return None

    def _check(self, value: bytes, users: Mapping[str, str]) -> tuple[Session | None, str]:
        """Whose it is and which hash it was signed with; None when it is not of our making."""
        parts = value.split(b".") if len(value) <= _LONGEST else []
        if len(parts) != 4 or parts[0] != _VERSION or not parts[1].isdigit() or len(parts[1]) > 12:
            return None, ""
        try:
            name = parts[2] + b"=" * (-len(parts[2]) % 4)
            user = base64.urlsafe_b64decode(name).decode("utf-8")
        except (binascii.Error, ValueError):
            return None, ""
        hashed = users.get(user)
        if hashed is None:
            return None, ""
        signed = value.rpartition(b".")[0]
        if not hmac.compare_digest(parts[3], self._signature(signed, hashed)):
            return None, ""
        if len(self._proven) >= _MOST_PROVEN:
            self._proven.clear()
        proven = Session(user, int(parts[1])), hashed
        # What was signed stays signed: a page's many requests cost one HMAC.
        self._proven[value] = proven
        return proven

    def _signature(self, signed: bytes, hashed: str) -> bytes:
        message = b"labgate session\0" + signed + b"\0" + hashed.encode("utf-8")
        digest = hmac.digest(self._key, message, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=")


def session_key(folder: Path) -> bytes:
    """Read ``<folder>/session-key``, made with mode 0600 when there is none.

    It is kept so that a page that is open survives a restart, and so that several
    processes with one state folder agree. Where it cannot be kept, a key of this
    process' own must do.
    """
    path = folder / KEY_FILE
    try:
        key = bytes.fromhex(kept_secret(path, KEY_BYTES))
        problem = "" if len(key) == KEY_BYTES else "it is damaged; remove it"
    except OSError as error:
        problem = f"{error.strerror}; make the folder writable, or set state.folder"
    except ValueError:
        problem = "it is damaged; remove it"
    if not problem:
        return key
    log.warning("%s: %s. Logins will not outlast this labgate.", path, problem)
    return secrets.token_bytes(KEY_BYTES)

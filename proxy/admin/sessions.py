"""Sessions of the page: the printed address holds a token, the browser gets a cookie for it.

Nothing is held for a session: its cookie proves itself with a key. With the same key an open page
goes on after labgate was started again.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from proxy.runtime.secret_files import read_or_create_secret

log = logging.getLogger("labgate")

KEY_FILE = "inspector.key"
KEY_OCTETS = 24
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class AdminSession:
    """One browser.

    Attributes:
        cookie: What it brings.
        csrf_token: What the page sends along with everything that changes something.
    """

    cookie: str
    csrf_token: str


class AdminSessions:
    """The browsers that came with the token.

    Attributes:
        token: Opens a session; it stands in the address that labgate prints.

    Args:
        key: Of all of them; a random one if it is empty.
    """

    def __init__(self, key: str = "") -> None:
        self._key = (key or secrets.token_urlsafe(_SECRET_BYTES)).encode("ascii")
        self.token = self._derived("token", "")

    def open(self, token: str) -> AdminSession | None:
        """A new session, if the token is right."""
        if not _equal(token, self.token):
            return None
        return self._session(secrets.token_urlsafe(_SECRET_BYTES))

    def find(self, cookie: str) -> AdminSession | None:
        """The session of a cookie, if this key made it."""
        identifier, _, _proof = cookie.partition(".")
        session = self._session(identifier)
        return session if _equal(cookie, session.cookie) else None

    def _session(self, identifier: str) -> AdminSession:
        proof = self._derived("session", identifier)
        return AdminSession(f"{identifier}.{proof}", self._derived("csrf", identifier))

    def _derived(self, purpose: str, identifier: str) -> str:
        text = f"{purpose} {identifier}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[: 2 * _SECRET_BYTES]


def kept_key(state_folder: Path) -> str:
    """The key of the sessions; without a folder to keep it, an empty one."""
    try:
        return read_or_create_secret(state_folder / KEY_FILE, KEY_OCTETS)
    except (OSError, UnicodeDecodeError) as error:
        log.warning("the page of the inspector will not know its browsers again: %s", error)
        return ""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(
        one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    )

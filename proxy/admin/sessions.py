"""Sessions of the page: the printed address holds a token, the browser gets a cookie for it."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from hmac import compare_digest

MAX_SESSIONS = 32
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class Session:
    """One browser.

    Attributes:
        identifier: The cookie's value.
        csrf_token: What the page sends along with everything that changes something.
    """

    identifier: str = field(default_factory=lambda: secrets.token_urlsafe(_SECRET_BYTES))
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(_SECRET_BYTES))


class Sessions:
    """The browsers that came with the token.

    Attributes:
        token: Opens a session; it stands in the address that labgate prints.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(_SECRET_BYTES)
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, token: str) -> Session | None:
        """A new session, if the token is right; the oldest one of too many ends."""
        if not compare_digest(token.encode("utf-8"), self.token.encode("utf-8")):
            return None
        session = Session()
        self._sessions[session.identifier] = session
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def find(self, identifier: str) -> Session | None:
        """The session of a cookie."""
        return self._sessions.get(identifier)

"""What all workers share about logins; the supervisor holds it.

Tested by tests/e2e/test_workers.py.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from typing import Any

from proxy.access.htpasswd import Htpasswd
from proxy.access.login_state import LoginState
from proxy.access.revoked_sessions import Revocation, RevokedFile
from proxy.access.session import session_key
from proxy.config.routes import route_configurations
from proxy.config.settings import Settings

from .channel import WorkerMessage

DIGEST_KEY_BYTES = 32
MAX_REPLAYED_LOGINS = 10_000
"""Earlier updates about logins that a new worker receives."""


class SharedAccess:
    """The keys, the updates about logins, and the revoked sessions.

    Attributes:
        session_key: Signs session cookies; empty without an htpasswd file.
        digest_key: Keys the digests of passwords.
        logins: The latest updates for ``SharedLockout.apply``.
    """

    def __init__(self) -> None:
        self.session_key = b""
        self.digest_key = secrets.token_bytes(DIGEST_KEY_BYTES)
        self.logins: deque[WorkerMessage] = deque(maxlen=MAX_REPLAYED_LOGINS)
        self._revoked_file: RevokedFile | None = None

    def prepare(self, settings: Settings) -> None:
        """Check the htpasswd file of each route, and load what their logins need.

        Raises:
            StartError: The file is invalid.
        """
        routes = route_configurations(settings)
        files = {route.htpasswd for route in routes if route.htpasswd is not None}
        if not files:
            return
        for file in files:
            Htpasswd(file)
        if self._revoked_file is None:
            self.session_key = session_key(settings.state_folder)
            self._revoked_file = RevokedFile(settings.state_folder)
            self._revoked_file.load()

    def forget(self, address: str) -> None:
        """Forget the updates about one address."""
        kept = [login for login in self.logins if login["address"] != address]
        self.logins = deque(kept, maxlen=MAX_REPLAYED_LOGINS)

    def continue_logins(self, state: LoginState) -> list[WorkerMessage]:
        """Take over what a predecessor knows; returns the updates that are new here."""
        self.digest_key = bytes.fromhex(state.digest_key)
        known = {json.dumps(login, sort_keys=True) for login in self.logins}
        new = [one for one in state.updates if json.dumps(one, sort_keys=True) not in known]
        self.logins += new
        return new

    @property
    def logouts(self) -> list[list[Any]]:
        """The revoked sessions, as the channel carries them."""
        if self._revoked_file is None:
            return []
        return [list(revocation) for revocation in self._revoked_file.revoked.revocations()]

    async def save_logout(self, revocation: Revocation) -> None:
        """Store that a session was ended."""
        if self._revoked_file is not None:
            await self._revoked_file.save(revocation)

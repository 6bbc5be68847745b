"""The access control of each route.

Tested by tests/routes/test_served_routes.py, too.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from proxy.access.access_control import AccessControl
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import Revoke, RevokedFile, RevokedSessions
from proxy.access.session import Sessions, session_key
from proxy.builders import SharedResources
from proxy.config.routes import RouteConfiguration
from proxy.config.settings import Settings


@dataclass(frozen=True, slots=True)
class _SessionKeeper:
    """What signs sessions, and ends them."""

    key: bytes
    revoked: RevokedSessions
    revoke: Revoke


class Logins:
    """Makes the access control of every route of a configuration.

    Routes with one htpasswd file share their sessions, wherever a browser may bring them. Those
    of another file are signed with another key, also if a user has the same line in both.

    Args:
        settings: The configuration.
        lockout: Counts failed logins at all routes.
        digest_key: Makes the digests that passwords and tokens are remembered by.
        revoked_file: The same for every configuration of this process; a worker does not use it.
        shared: Given to a worker.
    """

    def __init__(
        self,
        settings: Settings,
        lockout: Lockout,
        digest_key: bytes,
        revoked_file: RevokedFile,
        shared: SharedResources | None = None,
    ) -> None:
        self._settings = settings
        self._lockout = lockout
        self._digest_key = digest_key
        self._revoked_file = revoked_file
        self._shared = shared
        self._keeper: _SessionKeeper | None = None

    def access_control(self, route: RouteConfiguration) -> AccessControl | None:
        """That of a route; None if it requires no password and counts no failures.

        Raises:
            StartError: The htpasswd file cannot be read, or is malformed.
        """
        name = route.name if self._settings.routes else ""
        key = _derived(self._digest_key, name)
        if route.htpasswd is None:
            counts = bool(self._settings.access.login_failures)
            return AccessControl(self._lockout, key=key, name=name) if counts else None
        htpasswd = Htpasswd(route.htpasswd)
        keeper = self._session_keeper()
        sessions = Sessions(self._session_key(route.htpasswd), keeper.revoked)
        return AccessControl(self._lockout, htpasswd, sessions, key, keeper.revoke, name=name)

    def _session_key(self, htpasswd: Path) -> bytes:
        common = htpasswd == self._settings.access.htpasswd
        return _derived(self._session_keeper().key, "" if common else str(htpasswd))

    def _session_keeper(self) -> _SessionKeeper:
        if self._keeper is None:
            if self._shared is not None:
                shared = self._shared
                keeper = _SessionKeeper(shared.session_key, shared.revoked, shared.revoke)
            else:
                key, file = session_key(self._settings.state_folder), self._revoked_file
                keeper = _SessionKeeper(key, file.load(), file.save)
            self._keeper = keeper
        return self._keeper


def _derived(key: bytes, name: str) -> bytes:
    """Another key for each name; the key itself for none."""
    return hmac.digest(key, name.encode(), "sha256") if name else key

"""Sessions that were logged out, and the file that stores them across restarts.

A session is a signed cookie that labgate does not store. So a logout is remembered until the
session would have expired: a copy of the cookie must not be accepted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from proxy.access.session import CLOCK_SKEW_SECONDS, SESSION_LIFETIME_SECONDS, Session
from proxy.runtime.secret_files import write_atomically

log = logging.getLogger("labgate")

FILE_NAME = "ended-sessions"
MAX_REVOCATIONS_PER_USER = 256
"""After more logouts than these, all sessions that the user has so far are revoked."""

_REMEMBER_SECONDS = SESSION_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS


class Revocation(NamedTuple):
    """The logout of one session, or of all that were issued until then.

    Attributes:
        user: The session's user; empty for all users.
        session: The session's name; empty for all sessions.
        at: Seconds since 1970.
    """

    user: str
    session: str
    at: int


Revoke = Callable[[Revocation], Coroutine[Any, Any, None]]
"""Revokes a session in every worker, and stores that."""


class RevokedSessions:
    """The revoked sessions; their number is bounded for each user."""

    def __init__(self, revocations: Iterable[Revocation] = ()) -> None:
        self._sessions: dict[str, dict[str, int]] = {}
        self._all: dict[str, int] = {}
        for revocation in revocations:
            self.add(revocation)

    def __contains__(self, session: object) -> bool:
        return isinstance(session, Session) and (
            session.name in self._sessions.get(session.user, ())
            or session.issued <= self._all.get(session.user, -math.inf)
            or session.issued <= self._all.get("", -math.inf)
        )

    def add(self, revocation: Revocation) -> None:
        """Add a revocation; forget those whose sessions have expired.

        It may be older than others that are known: what is stored is read again.
        """
        user, session, at = revocation
        over = at - _REMEMBER_SECONDS
        self._all = {whose: until for whose, until in self._all.items() if until > over}
        covered = over if session else at
        known = self._sessions.pop(user, {})
        ended = {name: when for name, when in known.items() if when > covered}
        if session:
            ended[session] = at
        else:
            self._all[user] = max(at, self._all.get(user, at))
        if len(ended) > MAX_REVOCATIONS_PER_USER:
            self._all[user] = max(self._all.get(user, at), *ended.values())
        elif ended:
            self._sessions[user] = ended

    def revocations(self) -> list[Revocation]:
        """All revocations, to be stored or sent."""
        return [
            *(Revocation(user, "", at) for user, at in self._all.items()),
            *(
                Revocation(user, name, at)
                for user, ended in self._sessions.items()
                for name, at in ended.items()
            ),
        ]


class RevokedFile:
    """``<folder>/ended-sessions``, with mode 0600, replaced atomically.

    A process has one for each folder, and keeps it over reloads: it also knows the revocations
    that could not be stored, or are not stored yet.

    Attributes:
        revoked: What was loaded and saved; empty before the first of both.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._writing = asyncio.Lock()
        self.revoked = RevokedSessions()

    def load(self) -> RevokedSessions:
        """Add the revocations of the file to ``revoked``, and return that."""
        for stored in self._read():
            self.revoked.add(stored)
        return self.revoked

    async def save(self, revocation: Revocation) -> None:
        """Add a revocation and store it; log a warning if it cannot be stored."""
        self.revoked.add(revocation)
        async with self._writing:
            # Another labgate with this folder may have stored some meanwhile.
            for stored in await asyncio.to_thread(self._read):
                self.revoked.add(stored)
            content = json.dumps(self.revoked.revocations()).encode("ascii") + b"\n"
            try:
                await asyncio.to_thread(write_atomically, self._path, content)
            except OSError as error:
                log.warning(
                    "%s: %s; make the folder writable, or set state.folder. Who has logged out "
                    "is logged out until labgate is started again.",
                    self._path,
                    error.strerror or error,
                )

    def _read(self) -> list[Revocation]:
        try:
            return [
                Revocation(str(user), str(session), int(at))
                for user, session, at in json.loads(self._path.read_bytes())
            ]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s cannot be read (%s): everybody has to log in again.", self._path, error)
            # It is not known which sessions were revoked, so revoke all of them.
            return [Revocation("", "", int(time.time()))]

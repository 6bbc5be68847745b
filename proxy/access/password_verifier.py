"""Checks passwords against their hashes in threads, and remembers the right ones for minutes."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import monotonic

from proxy.access.basic import BasicCredentials
from proxy.access.htpasswd import matches

MAX_CONCURRENT_HASHES = 2
"""Limits how many cores a flood of wrong passwords can use."""

MAX_WAITING_CHECKS = 128
MAX_REMEMBERED_PASSWORDS = 1024
REMEMBER_PASSWORD_SECONDS = 300.0


class PasswordVerifier:
    """Checks passwords.

    Right passwords are remembered by a keyed digest of user, password and the user's hash. So the
    password itself is not stored, and a new hash in the file makes the entry useless.

    Args:
        key: Keys the digests; the same in all workers.

    Attributes:
        hashed: How many passwords were hashed so far.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._waiting = 0
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self.hashed = 0

    def digest(self, credentials: BasicCredentials, users: Mapping[str, str]) -> bytes:
        """A keyed digest of the credentials and of the user's current hash."""
        user = credentials.user.encode("utf-8")
        hashed = users.get(credentials.user, "").encode("utf-8")
        lengths = b"%d %d " % (len(user), len(credentials.password))
        message = lengths + user + credentials.password + hashed
        return hmac.digest(self._key, message, "sha256")

    def remembers(self, digest: bytes) -> bool:
        """Whether these credentials were right within ``REMEMBER_PASSWORD_SECONDS``."""
        until = self._remembered.get(digest)
        if until is None:
            return False
        if until <= monotonic():
            del self._remembered[digest]
            return False
        self._remembered.move_to_end(digest)
        return True

    @property
    def is_overloaded(self) -> bool:
        """Whether ``MAX_WAITING_CHECKS`` are waiting."""
        return self._waiting >= MAX_WAITING_CHECKS

    async def check(
        self,
        credentials: BasicCredentials,
        users: Mapping[str, str],
        digest: bytes,
        still_wanted: Callable[[], bool],
    ) -> bool | None:
        """Whether the password is right; None if ``still_wanted`` was False when it was due."""
        self._waiting += 1
        try:
            async with self._slots:
                if not still_wanted():
                    return None
                self.hashed += 1
                right = await asyncio.to_thread(
                    matches, credentials.password, self._hash_of(credentials.user, users)
                )
        finally:
            self._waiting -= 1
        if not right or credentials.user not in users:
            return False
        self._remembered[digest] = monotonic() + REMEMBER_PASSWORD_SECONDS
        self._remembered.move_to_end(digest)
        while len(self._remembered) > MAX_REMEMBERED_PASSWORDS:
            self._remembered.popitem(last=False)
        return True

    def _hash_of(self, user: str, users: Mapping[str, str]) -> str:
        """The user's hash; for an unknown user always the same hash of another user.

        So checking an unknown name takes as long as checking one that exists.
        """
        hashed = users.get(user)
        if hashed is None:
            number = int.from_bytes(hmac.digest(self._key, user.encode("utf-8"), "sha256")[:8])
            hashed = list(users.values())[number % len(users)]
        return hashed

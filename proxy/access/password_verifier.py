"""A password against its hash: off the event loop, few at once, remembered for minutes."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import monotonic

from proxy.access.basic import Credentials
from proxy.access.htpasswd import matches

MAX_CONCURRENT_HASHES = 2
"""So that a flood of wrong passwords leaves the machine's other cores alone."""

MAX_WAITING_CHECKS = 128
MAX_REMEMBERED_PASSWORDS = 1024
REMEMBER_PASSWORD_SECONDS = 300.0


class PasswordVerifier:
    """Checks passwords.

    Successes are remembered under a digest with a key of this process' own that covers
    user, password and the user's hash: never the password, and nothing that survives
    another password in the file.

    Args:
        key: For the digests; several processes that compare them have the same.

    Attributes:
        hashed: How many passwords were hashed so far.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._waiting = 0
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self.hashed = 0

    def digest(self, credentials: Credentials, users: Mapping[str, str]) -> bytes:
        """What stands for these credentials, as long as the user's hash is what it is."""
        user = credentials.user.encode("utf-8")
        hashed = users.get(credentials.user, "").encode("utf-8")
        lengths = b"%d %d " % (len(user), len(credentials.password))
        message = lengths + user + credentials.password + hashed
        return hmac.digest(self._key, message, "sha256")

    def remembers(self, digest: bytes) -> bool:
        """Whether these credentials were right a short while ago."""
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
        """Whether so many wait that one more would wait for too long."""
        return self._waiting >= MAX_WAITING_CHECKS

    async def check(
        self,
        credentials: Credentials,
        users: Mapping[str, str],
        digest: bytes,
        still_wanted: Callable[[], bool],
    ) -> bool | None:
        """Whether the password is right; None if it was no longer wanted when its turn came."""
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
        """The user's hash; for somebody unknown anybody's, always the same one.

        So an unknown name takes as long as one that exists.
        """
        hashed = users.get(user)
        if hashed is None:
            number = int.from_bytes(hmac.digest(self._key, user.encode("utf-8"), "sha256")[:8])
            hashed = list(users.values())[number % len(users)]
        return hashed

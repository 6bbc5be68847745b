"""Failed logins and lockouts, handed to the labgate that takes over from this one.

Tested by tests/access/test_lockout.py and tests/e2e/test_takeover.py.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from proxy.access.lockout import Update


@dataclass(frozen=True, slots=True)
class LoginState:
    """Failures, lockouts, and how their secrets are told apart.

    Attributes:
        digest_key: Keys the digests of passwords and tokens in ``updates``, in hexadecimal.
        updates: For ``Lockout.apply``, the oldest first.
    """

    digest_key: str = ""
    updates: list[Update] = field(default_factory=list)

    def octets(self) -> bytes:
        """As a file."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def read(cls, octets: bytes) -> Self:
        """From a file, perhaps of another version: keys that are not known are ignored.

        Raises:
            ValueError: That is no such file.
        """
        content = json.loads(octets)
        try:
            bytes.fromhex(content["digest_key"])
            return cls(content["digest_key"], list(content["updates"]))
        except (LookupError, TypeError) as error:
            raise ValueError(f"no login state: {error!r}") from None

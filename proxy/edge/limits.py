"""How much a client may ask for, and how long it may take: values, and who is in.

Nothing here touches a WebSocket that is open or a download that is slow: both are
ordinary for Jupyter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from proxy.rules.networks import NOWHERE, Networks


@dataclass(frozen=True, slots=True)
class Limits:
    """The edge's bounds; sizes in bytes, times in seconds.

    Attributes:
        connections: Open connections in all, as far as there are descriptors for them.
        connections_per_address: Open connections from one client address.
        requests: Exchanges under way in all, tunnels not counted.
        request_line: Method, target and version; longer is 414.
        head: All field lines together; longer is 431.
        fields: Field lines; more is 431.
        handshake_seconds: For the TLS handshake.
        head_seconds: From the first byte (or the handshake) to the end of the head.
        keep_alive_seconds: Idle between two requests.
        content_grace_seconds: A request's content may keep us waiting this long; every
            ``content_pace`` bytes that come win back a second of it.
        content_pace: The slowest pace of a request's content, bytes a second.
    """

    connections: int = 10_000
    connections_per_address: int = 2_000
    requests: int = 2_000
    request_line: int = 16 * 1024
    head: int = 64 * 1024
    fields: int = 128
    handshake_seconds: float = 10.0
    head_seconds: float = 20.0
    keep_alive_seconds: float = 75.0
    content_grace_seconds: float = 30.0
    content_pace: int = 100


DEFAULT_LIMITS = Limits()


class Guests:
    """Counts the open connections, in all and by address.

    Those of ``crowds``, the addresses many clients come from, count in all only.
    """

    def __init__(self, limits: Limits, crowds: Networks = NOWHERE) -> None:
        self._limits = limits
        self._crowds = crowds
        self._by_address: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def enter(self, address: str) -> bool:
        """Count one more; False when that is one too many, and nothing is counted."""
        if self._all >= self._limits.connections or (
            self._by_address[address] >= self._limits.connections_per_address
            and address not in self._crowds
        ):
            return False
        self._all += 1
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One that entered is gone."""
        self._all -= 1
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]

"""Limits of sizes, times and numbers towards clients, and the counters of the numbers.

No limit ends an open WebSocket or a slow download: both are ordinary for Jupyter.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.rules.networks import NO_NETWORKS, Networks, limit_key


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits towards clients; sizes in bytes, times in seconds.

    Attributes:
        connections: Open connections in all, from the moment they are accepted, as far as
            there are descriptors for them.
        connections_per_address: Of these those of one client address.
        requests: Requests that are being forwarded in all, tunnels not counted.
        requests_per_address: Of these those of one client address.
        request_line: Method, target and version; longer is 414.
        head: All field lines together; longer is 431.
        fields: Field lines; more is 431.
        handshake_seconds: From the first moment of a connection to the end of its TLS
            handshake, or of the PROXY protocol's header where there is no TLS.
        head_seconds: From the first byte (or the handshake) to the end of the head.
        keep_alive_seconds: Idle between two requests.
        content_grace_seconds: A request's content may keep us waiting this long; every
            ``content_pace`` bytes that arrive add a second to what is left of it, up to the whole.
        content_pace: The slowest pace of a request's content, bytes a second.
    """

    connections: int = 10_000
    connections_per_address: int = 2_000
    requests: int = 2_000
    requests_per_address: int = 500
    request_line: int = 16 * 1024
    head: int = 64 * 1024
    fields: int = 128
    handshake_seconds: float = 10.0
    head_seconds: float = 20.0
    keep_alive_seconds: float = 75.0
    content_grace_seconds: float = 30.0
    content_pace: int = 100


DEFAULT_LIMITS = Limits()

WEB_APP_REQUESTS = 64
"""Requests for labgate's own paths at once. They take milliseconds, but anybody may send them, and
each takes three descriptors: the client's and both ends of a socketpair."""

WEB_APP_REQUESTS_PER_ADDRESS = 16
"""Of these those of one client address, so that a health check gets through."""


class ConcurrencyLimit:
    """Limits how many of something exist at once, in all and for each client address.

    An IPv6 address counts as its /64, which one customer has. Clients with one of
    ``shared_addresses`` count in all only, because many clients share it.

    Attributes:
        shared_addresses: As below.

    Args:
        maximum: In all.
        maximum_per_address: For one address.
        shared_addresses: Trusted proxies, which may withhold the client's address.
    """

    def __init__(
        self, maximum: int, maximum_per_address: int, shared_addresses: Networks = NO_NETWORKS
    ) -> None:
        self._maximum = maximum
        self._maximum_per_address = maximum_per_address
        self.shared_addresses = shared_addresses
        # No Counter: that deletes and starts an entry in Python, which costs each request 1 µs.
        self._by_address: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def change(
        self, maximum: int, maximum_per_address: int, shared_addresses: Networks = NO_NETWORKS
    ) -> None:
        """Use other maximums from now on; existing slots remain, and count."""
        self._maximum = maximum
        self._maximum_per_address = maximum_per_address
        self.shared_addresses = shared_addresses

    @property
    def full(self) -> bool:
        """Whether the maximum in all is reached."""
        return self._count >= self._maximum

    def acquire(self, client: str) -> Slot | None:
        """Acquire a slot; None if the limit is reached."""
        address = limit_key(client)
        count = self._by_address.get(address, 0)
        if self._count >= self._maximum or (
            count >= self._maximum_per_address and client not in self.shared_addresses
        ):
            return None
        self._count += 1
        self._by_address[address] = count + 1
        return Slot(self, address)

    def release(self, address: str) -> None:
        """Release a slot; called only by ``Slot``, and once."""
        self._count -= 1
        count = self._by_address[address] - 1
        if count:
            self._by_address[address] = count
        else:
            del self._by_address[address]


class Slot:
    """Occupies the limit until ``release``."""

    __slots__ = ("_address", "_limit")

    def __init__(self, limit: ConcurrencyLimit, address: str) -> None:
        self._limit: ConcurrencyLimit | None = limit
        self._address = address

    def release(self) -> None:
        """Release the slot; a second call does nothing."""
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.release(self._address)


def new_connection_limit(
    limits: Limits, shared_addresses: Networks = NO_NETWORKS
) -> ConcurrencyLimit:
    """Limit the open connections of all ports."""
    return ConcurrencyLimit(limits.connections, limits.connections_per_address, shared_addresses)


def new_request_limit(limits: Limits, shared_addresses: Networks = NO_NETWORKS) -> ConcurrencyLimit:
    """Limit the requests that are being forwarded to Jupyter."""
    return ConcurrencyLimit(limits.requests, limits.requests_per_address, shared_addresses)


def new_web_app_limit(shared_addresses: Networks = NO_NETWORKS) -> ConcurrencyLimit:
    """Limit the requests for labgate's own paths."""
    return ConcurrencyLimit(WEB_APP_REQUESTS, WEB_APP_REQUESTS_PER_ADDRESS, shared_addresses)

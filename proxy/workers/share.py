"""What a worker has of what all have in common."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import Revoke, RevokedSessions
from proxy.config.settings import LimitSettings, Settings
from proxy.net.ports import Ports

SHARED_LIMITS = ("connections", "connections_per_address", "requests", "requests_per_address")


@dataclass(frozen=True, slots=True)
class Share:
    """Given to the ``Application`` of a worker; one that is alone makes its own.

    Attributes:
        ports: Listening already.
        lockout: Counts failed logins together with the others.
        session_key: Signs the cookies.
        digest_key: Makes the digests that passwords are remembered by.
        revoked: The sessions that are over.
        revoke: Ends one everywhere.
    """

    ports: Ports
    lockout: Lockout
    session_key: bytes
    digest_key: bytes
    revoked: RevokedSessions
    revoke: Revoke


def share_of(settings: Settings, workers: int) -> Settings:
    """The same with one worker's part of what ``limits`` bounds in all, rounded up."""
    limits = settings.limits
    parts = {name: -(-getattr(limits, name) // workers) for name in SHARED_LIMITS}
    shared = LimitSettings.model_construct(limits.model_fields_set, **(limits.model_dump() | parts))
    return settings.model_copy(update={"limits": shared})

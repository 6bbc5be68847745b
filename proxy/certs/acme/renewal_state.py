"""The state of renewal that outlives a restart: ``renewal.json`` beside a certificate's files.

Without it, a service that restarts in a loop would ask the CA at each start.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from proxy.certs.files import CertificatePair
from proxy.runtime.secret_files import write_atomically

from .certificate_request import CertificateRequest
from .schedule import FailedAttempts, RenewalWindow, ScheduledRenewal, next_renewal


def draw_random() -> float:
    """A random number in [0, 1)."""
    return secrets.randbelow(2**32) / 2**32


@dataclass(frozen=True, slots=True)
class RenewalState:
    """Past attempts for one certificate, and the CA's renewal window. Times are UTC.

    Attributes:
        random: In [0, 1), for the schedule; a new one after every attempt.
        failures: How many attempts failed since the last success.
        last_failure: When the last attempt failed.
        last_error: Why it failed, and the remedy.
        not_before: The earliest next attempt, from the CA's Retry-After.
        serial: The certificate that the next three attributes are about.
        window_start: Of the renewal window that the CA suggests.
        window_end: Of the renewal window that the CA suggests.
        ask_at: When to ask the CA for its renewal window again.
        challenge: The type of challenge that succeeded last.
        directory: The directory URL of the CA that issued the certificate in service.
    """

    random: float
    failures: int = 0
    last_failure: datetime | None = None
    last_error: str = ""
    not_before: datetime | None = None
    serial: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None
    ask_at: datetime | None = None
    challenge: str = ""
    directory: str = ""

    @property
    def failed_attempts(self) -> FailedAttempts:
        """The failures, as arguments for the schedule."""
        return FailedAttempts(self.failures, self.last_failure, self.not_before)

    def window(self, serial: str) -> RenewalWindow | None:
        """The CA's renewal window for the certificate with this serial number."""
        if serial != self.serial or self.window_start is None or self.window_end is None:
            return None
        return RenewalWindow(self.window_start, self.window_end)

    def after_failure(self, error: str, not_before: datetime | None, now: datetime) -> RenewalState:
        """The state after one more failed attempt."""
        return replace(
            self,
            random=draw_random(),
            failures=self.failures + 1,
            last_failure=now,
            last_error=error,
            not_before=not_before,
        )

    def after_success(self, challenge: str, directory: str) -> RenewalState:
        """The state after a certificate was issued: no failures, no renewal window."""
        return RenewalState(
            draw_random(), challenge=challenge or self.challenge, directory=directory
        )


_TIME_FIELDS = ("last_failure", "not_before", "window_start", "window_end", "ask_at")


def load_state(path: Path) -> RenewalState:
    """Read the state; a new one if the file is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        for key in _TIME_FIELDS:
            if content[key] is not None:
                content[key] = datetime.fromisoformat(content[key])
        return RenewalState(**content)
    except (OSError, ValueError, TypeError, KeyError):
        return RenewalState(draw_random())


def save_state(path: Path, state: RenewalState) -> None:
    """Write the state.

    Raises:
        OSError: It cannot be written.
    """
    content = json.dumps(asdict(state), indent=1, default=lambda time: time.isoformat())
    write_atomically(path, content.encode("utf-8"))


def schedule_renewal(
    request: CertificateRequest, pair: CertificatePair | None, state: RenewalState, now: datetime
) -> ScheduledRenewal:
    """When to ask the CA next.

    Args:
        request: What the configuration asks for.
        pair: The certificate in service. It is ignored unless it covers all names and comes
            from the configured CA (after trials with Let's Encrypt's staging it does not).
        state: Past failures and the CA's renewal window.
        now: UTC.
    """
    other_ca = state.directory not in ("", request.acme.directory)
    if pair is None or other_ca or not all(pair.covers(name) for name in request.names):
        return next_renewal(None, None, None, state.failed_attempts, now=now, random=state.random)
    window = state.window(pair.serial)
    return next_renewal(
        pair.not_before, pair.not_after, window, state.failed_attempts, now=now, random=state.random
    )

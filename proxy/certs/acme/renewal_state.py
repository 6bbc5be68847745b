"""What must be known after a restart: ``renewal.json`` beside a certificate's files.

Without it a service that is restarted again and again would ask the CA each time.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from proxy.runtime.secret_files import write_atomically

from .schedule import Failures, Window


def draw() -> float:
    """A number in [0, 1)."""
    return secrets.randbelow(2**32) / 2**32


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one certificate.

    Attributes:
        random: In [0, 1), for the schedule; drawn anew after every attempt.
        failures: Attempts that failed since the last that did not.
        last_failure: When the last one did (UTC).
        last_error: Why, and the mend.
        not_before: What the CA's Retry-After meant.
        serial: Of the certificate that the next three are about.
        window_start: The CA's suggestion.
        window_end: The CA's suggestion.
        ask_at: When to ask the CA for its suggestion again.
        challenge: The kind of challenge that succeeded last.
        directory: The CA that issued the certificate there is.
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
    def failed(self) -> Failures:
        """The failures, as the schedule wants them."""
        return Failures(self.failures, self.last_failure, self.not_before)

    def window(self, serial: str) -> Window | None:
        """The CA's suggestion for the certificate with this serial number."""
        if serial != self.serial or self.window_start is None or self.window_end is None:
            return None
        return Window(self.window_start, self.window_end)

    def after_failure(self, error: str, not_before: datetime | None, now: datetime) -> Memory:
        """One more."""
        return replace(
            self,
            random=draw(),
            failures=self.failures + 1,
            last_failure=now,
            last_error=error,
            not_before=not_before,
        )

    def after_success(self, challenge: str, directory: str) -> Memory:
        """A clean slate."""
        return Memory(draw(), challenge=challenge or self.challenge, directory=directory)


_TIMES = ("last_failure", "not_before", "window_start", "window_end", "ask_at")


def recall(path: Path) -> Memory:
    """What was remembered; a clean slate when there is nothing, or nothing that makes sense."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        for key in _TIMES:
            if content[key] is not None:
                content[key] = datetime.fromisoformat(content[key])
        return Memory(**content)
    except (OSError, ValueError, TypeError, KeyError):
        return Memory(draw())


def remember(path: Path, memory: Memory) -> None:
    """Keep it.

    Raises:
        OSError: It cannot be written.
    """
    content = json.dumps(asdict(memory), indent=1, default=lambda time: time.isoformat())
    write_atomically(path, content.encode("utf-8"))

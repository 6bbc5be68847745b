"""The Jupyter that this labgate serves, as far as labgate knows it.

Tested by tests/jupyter/test_supervision.py and tests/e2e/test_status.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from proxy.jupyter.launcher import Launched, Launcher, Login

JupyterPhase = Literal["starting", "running", "restarting", "not launched here"]
UNKNOWN_LOGIN = Login("unknown")


@dataclass(slots=True)
class ServedJupyter:
    """The state of the Jupyter behind labgate.

    Attributes:
        phase: ``running`` means that it answered and has not exited since.
        reason: Why it is started again.
        since: When the phase began.
        restarts: How often it had to be started again.
        description: ``container jupyter (image …), adopted``; empty if it was not launched here.
        login: Who can log in.
        launcher: Reads Jupyter's log; None if it was not launched here.
    """

    phase: JupyterPhase = "starting"
    reason: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    restarts: int = 0
    description: str = ""
    login: Login = UNKNOWN_LOGIN
    launcher: Launcher | None = None

    def enter(self, phase: JupyterPhase, reason: str = "") -> None:
        """Begin a phase."""
        self.restarts += phase == "restarting" and self.phase != phase
        self.phase, self.reason, self.since = phase, reason, datetime.now(UTC)

    def launched(self, launched: Launched) -> None:
        """Store the results of a start."""
        self.description, self.login = launched.description, launched.login

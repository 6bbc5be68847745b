"""What people type differs between systems: the commands that sentences name."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commands:
    """One system's.

    Attributes:
        start_engine: How a Docker Engine is started.
        engine_log: Where it says more.
        listening: Names who listens on ``{port}``.
    """

    start_engine: str
    engine_log: str
    listening: str

    def listener_of(self, port: int) -> str:
        """The command that names who listens on ``port``."""
        return self.listening.format(port=port)


LINUX = Commands(
    "`systemctl start docker`", "`journalctl -u docker`", "`ss -ltnp 'sport = :{port}'`"
)
MACOS = Commands(
    "open Docker Desktop",
    "Docker Desktop's Troubleshoot menu",
    "`lsof -nP -iTCP:{port} -sTCP:LISTEN`",
)
COMMANDS = LINUX if sys.platform == "linux" else MACOS

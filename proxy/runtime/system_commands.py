"""The commands that error messages name, which differ between systems.

Tested by tests/test_platforms.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of one system.

    Attributes:
        start_engine: Starts a Docker Engine.
        engine_log: Shows the engine's log.
        listening: Shows the process that listens on ``{port}``.
        start_labgate: Starts labgate.
    """

    start_engine: str
    engine_log: str
    listening: str
    start_labgate: str

    def listener_of(self, port: int) -> str:
        """The command that shows the process that listens on ``port``."""
        return self.listening.format(port=port)


LINUX = Commands(
    "`systemctl start docker`",
    "`journalctl -u docker`",
    "`ss -ltnp 'sport = :{port}'`",
    "`labgate up`, `labgate serve` or `systemctl start labgate`",
)
MACOS = Commands(
    "open Docker Desktop",
    "Docker Desktop's Troubleshoot menu",
    "`lsof -nP -iTCP:{port} -sTCP:LISTEN`",
    "`labgate up` or `labgate serve`",
)
COMMANDS = LINUX if sys.platform == "linux" else MACOS

"""The commands that error messages name, which differ between systems.

Tested by tests/test_platforms.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


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

UNITS = Path("/etc/systemd/system")
"""Where ``labgate install-service`` writes the service's units."""


def how_to_start(units: Path = UNITS) -> str:
    """A clause that says how labgate is started here: as the service, where one is installed.

    Args:
        units: The folder of the units.
    """
    names = ("labgate.socket", "labgate.service")
    installed = [name for name in names if (units / name).is_file()]
    if names[-1] not in installed:
        return "Start one with `labgate up` or `labgate serve`"
    command = " ".join(["systemctl start", *installed]).removesuffix(".service")
    return f"Start the service with `{command}`, or another one with `labgate up`"

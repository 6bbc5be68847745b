"""A hub's proxy all of whose listeners are Unix sockets, labgate's or configurable-http-proxy."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.programs import until
from tests.hub.running import TOKEN

LISTENERS = ("proxy", "api", "metrics")
TAKEN = "EADDRINUSE"


def accepts(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextmanager
def on_sockets(command: Sequence[str], folder: Path, *flags: str) -> Iterator[Mapping[str, str]]:
    """Run it; yields the paths of its sockets, once it listens or has said that it cannot."""
    names = {name: str(folder / name) for name in LISTENERS}
    ours = [
        *("--socket", names["proxy"], "--api-socket", names["api"]),
        *("--metrics-socket", names["metrics"]),
    ]
    environment = {
        **os.environ,
        "CONFIGPROXY_AUTH_TOKEN": TOKEN,
        "LABGATE_STATE__FOLDER": str(folder / "state"),
    }
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, *ours, *flags], env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            until(
                lambda: (
                    process.poll() is not None
                    or TAKEN in log.read_text()
                    or all(accepts(Path(path)) for path in names.values())
                ),
                log.read_text,
            )
            assert process.poll() is None, log.read_text()
            yield names
        finally:
            process.kill()

"""SIGHUP: a reload for a service, the end for what a closed terminal leaves behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.programs import Labgate, until

UPSTREAM = ("--upstream", "http://127.0.0.1:9", "--bind", "127.0.0.1")


def test_a_reload_ends_nothing(tmp_path: Path) -> None:
    with Labgate(tmp_path, "serve", *UPSTREAM) as labgate:
        for _ in range(3):
            labgate.running.send_signal(signal.SIGHUP)
            assert labgate.ask("GET", "/.labgate/health").status == 200
        assert labgate.stop() == 0
        assert "Traceback" not in labgate.log


UP = ("up", "--launch", "none")


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (UP, "in"),
        (UP, "out"),
        (UP, "everything"),
        (("serve",), "everything"),
        (("serve", "--workers", "2"), "everything"),
    ],
)
def test_a_closed_terminal_ends_it(command: tuple[str, ...], where: str, tmp_path: Path) -> None:
    """Also where only its input or only its output is that terminal, and output breaks with it."""
    labgate = Labgate(tmp_path, *command, *UPSTREAM)
    redirected = {
        "in": f'>/dev/null 2>"{labgate.stderr}"',
        "out": f'</dev/null 2>"{labgate.stderr}"',
        "everything": "",
    }[where]
    terminal = labgate.spawn_at_terminal("/bin/sh", "-c", f'exec "$@" {redirected}', "sh")
    try:
        until(lambda: served(labgate), lambda: labgate.log)
        labgate.running.send_signal(signal.SIGHUP)  # the terminal is still there: a reload
        assert labgate.ask("GET", "/.labgate/health").status == 200
        os.close(terminal)
        terminal = -1
        assert labgate.running.wait(20) == 0
        assert where == "everything" or "Stopping" in labgate.log
    finally:
        if terminal >= 0:
            os.close(terminal)
        labgate.kill()


def served(labgate: Labgate) -> bool:
    """Whether it has a certificate authority and answers."""
    try:
        return labgate.authority.exists() and labgate.ask("GET", "/.labgate/health").status == 200
    except OSError:
        return False

"""A Jupyter that hangs keeps nobody waiting who ends the doctor, and what is left is named."""

from __future__ import annotations

import http.client
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.doctor.belongings import REMOVE_SECONDS
from tests.cli.test_doctor import at_a_terminal, shown
from tests.doctor.leftovers import leftovers
from tests.e2e.programs import TOKEN, Jupyter, until

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Jupyter]:
    """One of its own, which goes on after the test."""
    with Jupyter(tmp_path) as running:
        yield running
        os.kill(running.pid, signal.SIGCONT)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(times: int, jupyter: Jupyter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABGATE_DOCTOR_TOKEN", TOKEN)
    with at_a_terminal(jupyter.upstream) as (doctor, terminal):
        until(lambda: "/api/terminals" in " ".join(leftovers(jupyter)), "a terminal is there")
        os.kill(jupyter.pid, signal.SIGSTOP)
        os.write(terminal, b"\x03")
        before = shown(terminal, b"Stopping")
        since = time.monotonic()
        if times == 2:
            os.write(terminal, b"\x03")
        after = shown(terminal)
        assert doctor.wait(60) == 128 + signal.SIGINT
        took_seconds = time.monotonic() - since
    told = before + after
    assert took_seconds < (REMOVE_SECONDS + 8 if times == 1 else REMOVE_SECONDS - 2), told
    assert "Ctrl-C again ends at once" in told
    assert "This may still be in Jupyter: the kernel " in told
    assert "Traceback" not in told
    assert "never retrieved" not in told
    assert "so far" in told

    os.kill(jupyter.pid, signal.SIGCONT)
    _remove_as_told(told, jupyter)
    assert [one for one in leftovers(jupyter) if one.startswith("/api/")] == []


def _remove_as_told(told: str, jupyter: Jupyter) -> None:
    named = re.findall(r"-X DELETE -H 'Authorization: token TOKEN' http://[^/]+(/\S+)", told)
    assert any("/api/sessions/" in path for path in named), told
    assert any("/api/terminals/" in path for path in named), told
    for path in named:
        connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
        connection.request("DELETE", path, headers={"Authorization": f"token {TOKEN}"})
        # What was asked before Jupyter hung it may have done meanwhile.
        assert connection.getresponse().status in (204, 404)
        connection.close()

"""The machine of these tests is one: systemd is process 1, labgate and a Jupyter are there."""

from __future__ import annotations

import pytest

from tests.deployment.machine import Machine
from tests.e2e.programs import until

pytestmark = [pytest.mark.deployment, pytest.mark.docker]


def test_systemd_runs_labgate_and_a_jupyter(machine: Machine) -> None:
    assert machine.read("/proc/1/comm") == "systemd\n"
    assert machine.run("labgate", "--version").startswith("labgate ")
    until(
        lambda: machine.succeeds("curl", "-sf", "http://127.0.0.1:8888/api"),
        lambda: machine.journal("jupyter"),
    )

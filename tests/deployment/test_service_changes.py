"""What changes while the service of a real systemd serves: its configuration, and itself."""

from __future__ import annotations

import http.client
import ssl

import pytest

from tests.deployment.machine import Machine
from tests.deployment.test_service import answers, installed, started
from tests.e2e.programs import until
from tests.e2e.steady_load import SteadyLoad

pytestmark = [pytest.mark.deployment, pytest.mark.docker, pytest.mark.systemd]

FILE = "/etc/labgate/labgate.toml"


def load_of(machine: Machine) -> SteadyLoad:
    port = machine.port(8443)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return SteadyLoad(
        lambda: http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context),
        "/.labgate/health",
    )


def change(machine: Machine, section: str, line: str) -> None:
    """Put a line under the header of a section."""
    machine.run("sed", "-i", rf"s/^\[{section}\]/&\n{line}/", FILE)


def test_a_reload_and_a_refused_one(machine: Machine) -> None:
    installed(machine, "--bind", "0.0.0.0")
    started(machine, "labgate.service")
    pid = machine.unit("labgate", "MainPID")
    with load_of(machine) as load:
        load.wait_for(20)
        change(machine, "limits", "keep_alive_seconds = 70")
        machine.run("systemctl", "reload", "labgate")
        assert "changed limits.keep_alive_seconds." in machine.journal()
        load.wait_for(20)
        change(machine, "access", "allow = 'nowhere'")
        machine.run("systemctl", "reload", "labgate", codes=[1])
        assert "access.allow: 'nowhere' is neither an address nor a range" in machine.journal()
        load.wait_for(20)
    assert load.lost == []
    assert machine.unit("labgate", "MainPID") == pid
    assert machine.unit("labgate", "ActiveState") == "active"


def test_a_restart_with_its_sockets_and_an_upgrade(machine: Machine) -> None:
    a_restart_with_its_sockets_and_an_upgrade(machine)


def a_restart_with_its_sockets_and_an_upgrade(machine: Machine) -> None:
    installed(machine, "--bind", "0.0.0.0")
    started(machine, "labgate.socket", "labgate.service")
    assert answers(machine)
    with load_of(machine) as load:
        load.wait_for(20)
        machine.run("systemctl", "restart", "labgate")
        load.wait_for(20)
        before = machine.unit("labgate", "MainPID")
        said = machine.run("labgate", "upgrade")
        until(lambda: machine.unit("labgate", "MainPID") != before, machine.journal)
        assert f"process {machine.unit('labgate', 'MainPID')} serves now" in said
        load.wait_for(20)
        until(lambda: not machine.succeeds("kill", "-0", before), machine.journal)
        load.wait_for(20)
    assert load.lost == []
    assert machine.unit("labgate", "ActiveState") == "active"
    assert machine.unit("labgate", "NRestarts") == "0"
    assert answers(machine)
    machine.run("systemctl", "stop", "labgate.service", "labgate.socket")
    assert machine.unit("labgate", "Result") == "success"

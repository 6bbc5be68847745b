"""labgate as a service of Debian 13's systemd, which knows ``Type=notify-reload``."""

from __future__ import annotations

import pytest

from tests.deployment.machine import Machine
from tests.deployment.test_service import (
    how_exposed_it_is,
    installed,
    keys_and_passwords_come_from_systemd,
    started,
)
from tests.deployment.test_service_changes import (
    a_restart_with_its_sockets_and_an_upgrade,
    change,
)

pytestmark = [pytest.mark.deployment, pytest.mark.docker, pytest.mark.systemd]


def test_a_reload_is_waited_for_and_done_once(newer_machine: Machine) -> None:
    machine = newer_machine
    installed(machine)
    started(machine, "labgate.service")
    assert machine.unit("labgate", "Type") == "notify-reload"
    change(machine, "limits", "keep_alive_seconds = 70")
    machine.run("systemctl", "reload", "labgate")
    done = "The configuration was reloaded: changed limits.keep_alive_seconds."
    assert done in machine.journal()
    assert machine.journal().count("the configuration is read again") == 1
    change(machine, "access", "allow = 'nowhere'")
    machine.run("systemctl", "reload", "labgate", codes=[1])
    refused = "access.allow: 'nowhere' is neither an address nor a range"
    said = machine.run("systemctl", "status", "--no-pager", "--lines=0", "labgate")
    # labgate's state, which is sent two seconds later at most, begins with the same words.
    assert 'status: "reload refused, the configuration from before stays' in said.lower()
    assert refused in said
    assert machine.journal().count("the configuration is read again") == 2
    assert machine.unit("labgate", "ActiveState") == "active"
    # labgate's own word does as much, and systemd hears of it.
    said = machine.run("labgate", "reload", codes=[1])
    assert refused in said
    assert machine.unit("labgate", "ActiveState") == "active"


def test_a_restart_with_its_sockets_and_an_upgrade(newer_machine: Machine) -> None:
    a_restart_with_its_sockets_and_an_upgrade(newer_machine)


def test_keys_and_passwords_come_from_systemd(newer_machine: Machine) -> None:
    keys_and_passwords_come_from_systemd(newer_machine)


def test_how_exposed_it_is(newer_machine: Machine) -> None:
    how_exposed_it_is(newer_machine)

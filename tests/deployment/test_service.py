"""labgate as a service of a real systemd, from its installation to its removal."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trustme

from tests.deployment.machine import Machine
from tests.e2e.programs import until

pytestmark = [pytest.mark.deployment, pytest.mark.docker, pytest.mark.systemd]

UPSTREAM = ("--upstream", "http://127.0.0.1:8888")
# A container's systemd has no kernel settings, devices or host name of its own to protect, and
# waits are shorter.
HURRY = """
[Service]
RestartSec=100ms
WatchdogSec=2
TimeoutAbortSec=1
"""


def installed(machine: Machine, *options: str) -> None:
    said = machine.run("labgate", "install-service", *UPSTREAM, *options)
    assert "/etc/systemd/system/labgate.service written" in said
    machine.run("mkdir", "/etc/systemd/system/labgate.service.d")
    machine.write("/etc/systemd/system/labgate.service.d/hurry.conf", HURRY)
    machine.run("systemctl", "daemon-reload")


def started(machine: Machine, *units: str) -> None:
    ran = machine.succeeds("systemctl", "enable", "--now", *units)
    assert ran, machine.journal()


def answers(machine: Machine) -> bool:
    return machine.succeeds("curl", "-skf", "https://localhost:8443/api")


def status(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run("labgate", "status", "--json"))
    return found


def test_from_its_installation_to_its_removal(machine: Machine) -> None:
    before = machine.run("find", "/etc", "-newer", "/proc/1/comm", "-type", "f")
    installed(machine)
    started(machine, "labgate.socket", "labgate.service")
    # Ready means serving: there is nothing to wait for.
    assert answers(machine)
    now = status(machine)
    assert now["service"] == "labgate.service"
    assert now["state_folder"] == "/var/lib/labgate"
    assert now["jupyter"]["state"] == "answers"
    checked = machine.run("labgate", "check")
    assert f"Process {now['pid']} runs with this state folder" in checked
    assert "state folder /var/lib/labgate) reports this" in machine.run("labgate", "cert", "show")
    until(
        lambda: machine.unit("labgate", "StatusText").startswith(
            "Jupyter at http://127.0.0.1:8888 answers; 0 WebSockets; certificate "
        ),
        lambda: machine.unit("labgate", "StatusText"),
    )

    said = machine.run("labgate", "stop")
    assert "has stopped; Jupyter at http://127.0.0.1:8888 goes on." in said
    start = "systemctl start labgate.socket labgate"
    assert f"labgate.socket is stopped, too: start both again with `{start}`" in said
    # Otherwise the next connection would start it again.
    assert machine.unit("labgate.socket", "ActiveState") == "inactive"
    assert machine.unit("labgate", "ActiveState") == "inactive"
    assert machine.unit("labgate", "NRestarts") == "0"
    said = machine.run("labgate", "status", codes=[1])
    assert "No labgate with the state folder /var/lib/labgate runs" in said
    assert f"Start the service with `{start}`" in said

    started(machine, "labgate.service")
    machine.run("rm", "-r", "/etc/systemd/system/labgate.service.d")
    said = machine.run("labgate", "uninstall-service")
    assert "/etc/systemd/system/labgate.service" in said
    assert machine.unit("labgate", "LoadState") == "not-found"
    assert not answers(machine)
    assert machine.run("find", "/etc", "-newer", "/proc/1/comm", "-type", "f") == before
    said = machine.run("labgate", "uninstall-service", codes=[1])
    assert said == "labgate: install-service has written nothing here.\n"


OWN_USER = """
[Service]
User=labgate
Group=labgate
"""


def test_as_a_user_of_its_own_and_with_a_configuration_from_before(machine: Machine) -> None:
    installed(machine)
    toml = "/etc/labgate/labgate.toml"
    machine.run("useradd", "--system", "labgate")
    machine.run("chgrp", "labgate", toml)
    machine.run("chmod", "g+r", toml)
    machine.write("/etc/systemd/system/labgate.service.d/user.conf", OWN_USER)
    machine.run("systemctl", "daemon-reload")
    started(machine, "labgate.socket", "labgate.service")
    assert machine.run("stat", "-c", "%U", "/var/lib/labgate").strip() == "labgate"
    assert status(machine)["state_folder"] == "/var/lib/labgate"
    running = f"Process {machine.unit('labgate', 'MainPID')} runs with this state folder"
    assert running in machine.run("labgate", "check")
    assert running in machine.run("runuser", "-u", "labgate", "--", "labgate", "check")
    # Written by an install-service that did not name the folder.
    machine.run("sed", "-i", "/^folder = /d", toml)
    machine.run("systemctl", "restart", "labgate")
    assert status(machine)["state_folder"] == "/var/lib/labgate"


@pytest.mark.parametrize("is_started", [True, False])
def test_a_removal_after_a_unit_was_removed_by_hand(machine: Machine, *, is_started: bool) -> None:
    before = machine.run("find", "/etc", "-newer", "/proc/1/comm", "-type", "f")
    machine.run("labgate", "install-service", *UPSTREAM)
    if is_started:
        started(machine, "labgate.socket", "labgate.service")
    machine.run("rm", "/etc/systemd/system/labgate.socket")
    machine.run("systemctl", "daemon-reload")
    said = machine.run("labgate", "uninstall-service")
    assert "labgate.socket is gone already" in said
    for unit in ("labgate.service", "labgate.socket"):
        assert machine.unit(unit, "ActiveState") == "inactive"
    assert not answers(machine)
    assert machine.run("find", "/etc", "-newer", "/proc/1/comm", "-type", "f") == before
    assert machine.run("find", "/etc/systemd/system", "-name", "labgate*") == ""


def test_it_is_started_again_when_it_was_killed_or_hangs(machine: Machine) -> None:
    installed(machine)
    started(machine, "labgate.service")
    for number, (ending, result) in enumerate(
        [("SIGKILL", "signal"), ("SIGSEGV", "signal"), ("SIGSTOP", "watchdog")], start=1
    ):
        before = machine.unit("labgate", "MainPID")
        machine.run("systemctl", "kill", "--kill-who=main", f"--signal={ending}", "labgate")
        until(
            lambda number=number: machine.unit("labgate", "NRestarts") == str(number),  # type: ignore[misc]
            lambda ending=ending: f"{ending}: {machine.journal()}",  # type: ignore[misc]
        )
        until(lambda: answers(machine), machine.journal)
        assert machine.unit("labgate", "MainPID") != before
        assert f"Failed with result '{result}'" in machine.run(
            "journalctl", "--no-pager", "--unit", "labgate"
        )


def test_a_wrong_configuration_is_not_tried_again(machine: Machine) -> None:
    installed(machine)
    machine.run(
        "sed",
        "-i",
        r"s/^#https_port.*//;s/^\[listen\]/&\nhttps_port = \"nonsense\"/",
        "/etc/labgate/labgate.toml",
    )
    machine.run("systemctl", "start", "labgate", codes=[1])
    assert machine.unit("labgate", "ActiveState") == "failed"
    assert machine.unit("labgate", "NRestarts") == "0"
    assert "listen.https_port: 'nonsense' is not a whole number" in machine.journal()


def test_a_worker_that_hangs_is_no_end(machine: Machine) -> None:
    installed(machine, "--workers", "2")
    started(machine, "labgate.service")
    (worker, *_) = [one for one in status(machine)["processes"] if one["role"] == "worker"]
    machine.run("sh", "-c", f"kill -STOP {worker['pid']}")
    until(
        lambda: worker["pid"] not in [one["pid"] for one in status(machine)["processes"]],
        machine.journal,
    )
    assert machine.unit("labgate", "NRestarts") == "0"
    assert answers(machine)


CREDENTIALS = """
[Service]
LoadCredential=fullchain.pem:/root/fullchain.pem
LoadCredential=privkey.pem:/root/privkey.pem
LoadCredential=htpasswd:/root/htpasswd
"""


def issue(machine: Machine, *names: str) -> None:
    """A new certificate where root keeps it."""
    leaf = trustme.CA().issue_cert(*names)
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems).decode()
    machine.write("/root/fullchain.pem", chain)
    machine.write("/root/privkey.pem", leaf.private_key_pem.bytes().decode())


def keys_and_passwords_come_from_systemd(machine: Machine) -> None:
    """They are copies, which only a restart replaces: a reload says so."""
    issue(machine, "lab.example.org")
    machine.write("/root/htpasswd", "ada:$apr1$WQkSdlAO$Hh3dUsEg.Uf4n8jOvYHMj1\n")
    handed_over = "/run/credentials/labgate.service/htpasswd"
    installed(machine, "--domain", "lab.example.org", "--htpasswd", handed_over)
    said = machine.run("labgate", "check", codes=[1])
    assert f"! Passwords     {handed_over} is there once systemd has started" in said
    machine.write("/etc/systemd/system/labgate.service.d/credentials.conf", CREDENTIALS)
    machine.run("systemctl", "daemon-reload")
    started(machine, "labgate.service")
    assert f"✓ Passwords     {handed_over} can be read." in machine.run(
        "labgate", "check", codes=[0, 1]
    )
    (first,) = status(machine)["certificates"]
    assert first["source"] == "credentials"
    assert first["names"] == ["lab.example.org"]
    site = "https://lab.example.org/api"
    asked = ("curl", "-sk", "--resolve", "lab.example.org:443:127.0.0.1", site)
    assert machine.run(*asked, "-o", "/dev/null", "-w", "%{http_code}") == "401"

    issue(machine, "lab.example.org", "renewed.example.org")
    machine.run("systemctl", "reload", "labgate")
    assert "is systemd's copy, made when the service was started" in machine.journal()
    (unchanged,) = status(machine)["certificates"]
    assert unchanged["names"] == ["lab.example.org"]
    machine.run("systemctl", "restart", "labgate")
    (renewed,) = status(machine)["certificates"]
    assert renewed["names"] == ["lab.example.org", "renewed.example.org"]


def test_keys_and_passwords_come_from_systemd(machine: Machine) -> None:
    keys_and_passwords_come_from_systemd(machine)


def test_how_exposed_it_is(machine: Machine) -> None:
    how_exposed_it_is(machine)


def how_exposed_it_is(machine: Machine) -> None:
    """Of the unit as it was loaded, by the machine's own systemd."""
    machine.run("labgate", "install-service", *UPSTREAM)
    said = machine.run("systemd-analyze", "security", "--no-pager", "labgate.service")
    level = float(said.rpartition("labgate.service: ")[2].split()[0])
    print(f"exposure {level}")
    assert level <= 2.0, said

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from proxy.service.shipped_files import shipped_file
from proxy.service.unit_files import (
    Machine,
    configuration_file,
    service_unit,
    socket_unit,
    systemd_version,
    unit_word,
)
from tests.conftest import require

SERVICE, SOCKET, TOML = (shipped_file(f"labgate.{kind}") for kind in ("service", "socket", "toml"))
MACHINE = Machine("/opt/labgate/bin/labgate", "/etc/labgate/other.toml", 252)


def values(unit: str, key: str) -> list[str]:
    """The values of a key that is not commented out."""
    return re.findall(rf"(?m)^{key}=(.*)$", unit)


def test_it_starts_what_is_installed_here() -> None:
    unit = service_unit(SERVICE, MACHINE, serve=False)
    command = "/opt/labgate/bin/labgate"
    option = "--config /etc/labgate/other.toml"
    assert values(unit, "ExecStart") == [f"{command} up {option}"]
    assert values(unit, "ExecReload") == [f"{command} reload {option}"]
    assert "docker.service" in values(unit, "After")[0]
    assert "/usr/local/bin" not in unit


def test_a_jupyter_that_runs_already_needs_no_engine() -> None:
    unit = service_unit(SERVICE, MACHINE, serve=True)
    (start,) = values(unit, "ExecStart")
    assert start == "/opt/labgate/bin/labgate serve --config /etc/labgate/other.toml"
    assert "docker.service" not in unit
    assert values(unit, "TimeoutStartSec") == ["2min"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/opt/labgate/bin/lab-gate_1.2+é@x", "/opt/labgate/bin/lab-gate_1.2+é@x"),
        ("/opt/my apps/100%/bin/labgate", '"/opt/my apps/100%%/bin/labgate"'),
        ("/opt/$HOME", '"/opt/$$HOME"'),
        (r"/opt/a\b", r'"/opt/a\\b"'),
        ('/opt/a"b', r'"/opt/a\"b"'),
        ("/opt/a;b", '"/opt/a;b"'),
        ("/opt/a\nb", r'"/opt/a\nb"'),
    ],
)
def test_a_path_is_one_word(text: str, word: str) -> None:
    assert unit_word(text) == word


@pytest.mark.parametrize("folder", ["my apps/100%", "100%%", "$HOME", "${HOME}", "a;b", "a#b", "é"])
def test_systemd_finds_the_command(folder: str, tmp_path: Path) -> None:
    """It complains of a command that is not there."""
    analyze = shutil.which("systemd-analyze")
    require(analyze, "no systemd-analyze", "apt-get install systemd")
    assert analyze is not None
    command = tmp_path / folder / "bin/labgate"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    configuration = tmp_path / folder / "labgate.toml"
    unit = tmp_path / "labgate.service"
    written = service_unit(SERVICE, Machine(str(command), str(configuration)), serve=True)
    unit.write_text(written.replace("Requires=labgate.socket\n", ""))
    ran = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "labgate" not in ran.stderr, ran.stderr


@pytest.mark.parametrize("serve", [True, False])
@pytest.mark.parametrize(
    ("version", "kind"),
    [(0, "notify"), (252, "notify"), (253, "notify-reload"), (257, "notify-reload")],
)
def test_a_reload_is_waited_for_where_systemd_can(version: int, kind: str, serve: bool) -> None:
    unit = service_unit(SERVICE, Machine("/labgate", systemd=version), serve=serve)
    assert values(unit, "Type") == [kind]
    # Or the signal would have the configuration read once, and ExecReload another time.
    assert values(unit, "ReloadSignal") == (["SIGCONT"] if kind == "notify-reload" else [])
    # Its exit code tells whether the configuration was accepted, which the signal cannot.
    assert len(values(unit, "ExecReload")) == 1


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT", 252),
        ("systemd 257.5-1-arch", 257),
        ("", 0),
        ("nonsense", 0),
    ],
)
def test_the_version(said: str, version: int) -> None:
    assert systemd_version(said) == version


def test_the_socket_has_the_ports_of_the_configuration() -> None:
    unit = socket_unit(SOCKET, ["127.0.0.1:8443", "[::1]:8443"])
    assert values(unit, "ListenStream") == ["127.0.0.1:8443", "[::1]:8443"]
    assert values(unit, "Backlog") == values(SOCKET, "Backlog")


EXPLANATION = re.compile(r"# {1,2}\S")
VALUES: list[dict[str, dict[str, Any]]] = [
    {},
    {"site": {"domains": ["lab.example.org", "www.example.org"]}, "acme": {"email": "a@b.org"}},
    {"listen": {"https_port": 8443, "tls": False}, "state": {"folder": "/var/lib/x"}},
    {"jupyter": {"launch": "docker", "memory_limit": "4g", "volume": 'a"b:/c'}},
    {"jupyter": {"user": "1000", "memory_limit": "4000000000"}},
]


@pytest.mark.parametrize("wanted", VALUES)
def test_the_configuration_has_what_was_given_and_explains_the_rest(
    wanted: dict[str, dict[str, Any]],
) -> None:
    text = configuration_file(TOML, wanted)
    read = {section: keys for section, keys in tomllib.loads(text).items() if keys}
    assert read == wanted
    assert [line for line in text.splitlines() if EXPLANATION.match(line)] == [
        line for line in TOML.splitlines() if EXPLANATION.match(line)
    ]

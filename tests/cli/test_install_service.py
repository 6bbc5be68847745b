"""``labgate install-service`` below a folder; with a real systemd: tests/deployment."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from proxy.cli import install_service
from proxy.cli.command import command
from proxy.config.load import load
from proxy.service.state_folder import find_state_folder

SERVICE, SOCKET, TOML = (
    "etc/systemd/system/labgate.service",
    "etc/systemd/system/labgate.socket",
    "etc/labgate/labgate.toml",
)
DOMAIN = ("--domain", "lab.example.org", "--email", "ada@example.org")


@pytest.fixture(autouse=True)
def _installed_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout may be in a folder for temporary files, from which nothing is installed."""
    monkeypatch.setattr(sys, "argv", ["/opt/labgate/bin/labgate"])


def install(root: Path, *options: str) -> int:
    return command(["install-service", "--root", str(root), *options])


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_three_files_with_what_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path, *DOMAIN) == 0
    said = capsys.readouterr().out
    assert files(tmp_path) == {SERVICE, SOCKET, TOML, "etc/labgate/installed.json"}
    read = tomllib.loads((tmp_path / TOML).read_text())
    assert {section: keys for section, keys in read.items() if keys} == {
        "site": {"domains": ["lab.example.org"]},
        "acme": {"email": "ada@example.org"},
        "jupyter": {"launch": "docker"},
        "state": {"folder": "/var/lib/labgate"},
    }
    # As root every other command looks where the service does.
    unit = (tmp_path / SERVICE).read_text()
    assert "\nStateDirectory=labgate\n" in unit, "systemd makes it below /var/lib"
    assert find_state_folder(tmp_path / TOML, {}) == load({}, {}, tmp_path / TOML).state_folder
    assert (tmp_path / TOML).stat().st_mode & 0o777 == 0o600
    assert "ListenStream=443\nListenStream=80\n" in (tmp_path / SOCKET).read_text()
    assert "labgate.service tells systemd how to start labgate" in said
    assert "systemctl enable --now labgate.socket labgate" in said


def test_beside_a_jupyter_that_runs(tmp_path: Path) -> None:
    assert install(tmp_path, "--upstream", "http://127.0.0.1:8888", "--https-port", "9443") == 0
    assert re.search(r"(?m)^ExecStart=\S+ serve ", (tmp_path / SERVICE).read_text())
    socket = (tmp_path / SOCKET).read_text()
    assert "ListenStream=127.0.0.1:9443\n" in socket
    assert "ListenStream=127.0.0.1:8080\n" in socket
    read = tomllib.loads((tmp_path / TOML).read_text())
    assert read["upstream"] == {"url": "http://127.0.0.1:8888"}
    assert read["listen"] == {"https_port": 9443}


def test_a_dry_run_writes_nothing_and_explains_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path, "--dry-run", *DOMAIN) == 0
    said = capsys.readouterr().out
    assert files(tmp_path) == set()
    for path in (SERVICE, SOCKET, TOML):
        assert f"=== /{path} (new)\n=== {Path(path).name} " in said
    assert said.startswith("This is a dry run: nothing is written, and nothing started.")
    assert "explained in it (set: site.domains, acme.email, jupyter.launch, state.folder)." in said
    # Every setting of the units stands below an explanation, or in the same paragraph.
    for unit in re.findall(r"(?s)\[Unit\]\n.*?(?=\n=== |\Z)", said)[:2]:
        for paragraph in unit.split("\n\n"):
            assert re.match(r"\[\w+\]\n(# |Description=)|# ", paragraph), paragraph
    assert 'domains = ["lab.example.org"]' in said
    assert "so that `labgate check` and `labgate cert`" in said


def test_a_changed_file_is_never_replaced_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, *DOMAIN)
    unit = tmp_path / SERVICE
    unit.write_text("mine\n")
    assert install(tmp_path) == 0
    assert unit.read_text() == "mine\n"
    assert "it stays as it is; --overwrite replaces it" in capsys.readouterr().out
    assert install(tmp_path, "--overwrite") == 0
    assert "[Unit]" in unit.read_text()
    assert (tmp_path / f"{SERVICE}.old").read_text() == "mine\n"
    for number in (1, 2):
        unit.write_text(f"mine {number}\n")
        install(tmp_path, "--overwrite")
        assert f"/{SERVICE}.old.{number} is the one from before" in capsys.readouterr().out
        assert (tmp_path / f"{SERVICE}.old.{number}").read_text() == f"mine {number}\n"
    assert (tmp_path / f"{SERVICE}.old").read_text() == "mine\n"


def test_a_configuration_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, *DOMAIN)
    toml = tmp_path / TOML
    toml.write_text('[site]\ndomains = ["other.example.org"]\n[listen]\nhttps_port = 9443\n')
    assert install(tmp_path, "--overwrite") == 0
    assert "other.example.org" in toml.read_text()
    # The units are those of the configuration that is there.
    assert "ListenStream=9443\n" in (tmp_path / SOCKET).read_text()
    assert install(tmp_path, *DOMAIN) == 2
    assert "options are not written into it: edit it, and leave" in capsys.readouterr().err


def test_exactly_what_was_written_is_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, *DOMAIN)
    (tmp_path / "etc/labgate/htpasswd").write_text("mine\n")
    (tmp_path / SOCKET).write_text("changed\n")
    uninstall = ["uninstall-service", "--root", str(tmp_path)]
    before = files(tmp_path)
    assert command([*uninstall, "--dry-run"]) == 0
    assert files(tmp_path) == before
    assert f"would remove /{SERVICE}" in capsys.readouterr().out
    assert command(uninstall) == 0
    assert files(tmp_path) == {"etc/labgate/htpasswd", SOCKET}
    assert f"/{SOCKET} stays: it was changed since it was written" in capsys.readouterr().out
    assert command(uninstall) == 1
    assert "install-service has written nothing here" in capsys.readouterr().err


def test_a_command_that_systemd_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/ada's/bin/labgate"])
    assert install(tmp_path, *DOMAIN) == 1
    assert files(tmp_path) == set()
    assert "for example in /opt/labgate" in capsys.readouterr().err


def test_a_command_that_somebody_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service runs it as root."""
    labgate = tmp_path / "bin/labgate"
    labgate.parent.mkdir()
    labgate.touch()
    labgate.chmod(0o777)
    monkeypatch.setattr(sys, "argv", [str(labgate)])
    monkeypatch.setattr(install_service, "PRIVATE_FOLDERS", ())
    assert install(tmp_path / "root", "--dry-run", *DOMAIN) == 0
    said = capsys.readouterr().err
    assert "the service would run as root what " in said
    assert "install it in /opt/labgate" in said


def test_both_a_jupyter_that_runs_and_one_to_launch_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("--upstream", "http://127.0.0.1:8888", "--launch", "docker")
    assert install(tmp_path, *DOMAIN, *both) == 2
    assert files(tmp_path) == set()
    said = capsys.readouterr().err
    assert "--upstream names a Jupyter that runs already, and --launch launches another" in said
    assert "leave one of them out" in said
    assert install(tmp_path, *DOMAIN, *both[:2], "--launch", "none") == 0
    toml = tmp_path / TOML
    toml.write_text(toml.read_text().replace('"none"', '"process"'))
    capsys.readouterr()
    assert install(tmp_path) == 2
    assert "labgate.toml: upstream.url names" in capsys.readouterr().err


def test_options_that_are_wrong_write_nothing(tmp_path: Path) -> None:
    assert install(tmp_path, "--https-port", "nonsense") == 2
    assert files(tmp_path) == set()

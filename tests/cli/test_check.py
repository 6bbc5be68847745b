"""``labgate check`` beside a running labgate: tests/e2e/test_status.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.command import command
from tests.e2e.programs import free_port


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command line with which nothing is wrong."""
    monkeypatch.setenv("LABGATE_STATE__FOLDER", str(tmp_path / "state"))
    ports = ["--https-port", str(free_port()), "--http-port", str(free_port())]
    return ["check", "--launch", "process", "--folder", str(tmp_path), *ports]


def test_nothing_is_wrong(good: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(good) == 0
    said = capsys.readouterr().out
    assert said.endswith("\nNothing is wrong.\n")
    assert "✓ Configuration from the command line, the environment\n" in said


def test_wrong_values_and_the_rest_at_once(
    good: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [*good, "--workers", "many", "--memory-limit", "4g", "--htpasswd", "/none"]
    assert command(wrong) == 1
    said = capsys.readouterr().out
    assert "✗ Configuration the command line: --workers: 'many' is not a whole number" in said
    assert "✗ Configuration --memory-limit has no effect with --launch process" in said
    assert "✗ Passwords" in said
    assert "\n3 faults. Mend what has a ✗" in said


def test_a_contradiction_keeps_the_rest_from_being_looked_at(
    good: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([*good, "--upstream", "http://127.0.0.1:8888"]) == 1
    assert "--launch launches another" in capsys.readouterr().out
    assert command(["check", "--no-tls", "--http-port", "0"]) == 1
    said = capsys.readouterr().out
    assert "no port is left" in said
    assert "The rest is looked at when these are mended." in said


def test_show_prints_the_configuration_in_force(
    good: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([*good, "--show"]) == 0
    assert 'launch = "process"' in capsys.readouterr().out
    assert command([*good, "--show", "--workers", "many"]) == 1
    assert "--workers: 'many' is not a whole number" in capsys.readouterr().err

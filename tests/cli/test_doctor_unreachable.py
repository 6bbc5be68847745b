"""What helps where nothing answers, and no server's lines would."""

from __future__ import annotations

import pytest

from proxy.cli.command import command
from proxy.cli.doctor_unreachable import remedy
from tests.e2e.programs import free_port


def printed(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``labgate doctor`` prints of an address where nothing answers."""
    assert command(["doctor", url]) == 1
    out = capsys.readouterr().out
    assert "unreachable (error)" in out
    return " ".join(out.split())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_http_needs_no_tls_and_no_open_port(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(f"http://{host}:{free_port()}", capsys)
    for wrong in (" ssl;", "bind =", "0.0.0.0", "--mend-for"):
        assert wrong not in out
    assert "Start the server that should answer there, or correct the address" in out


UNKNOWN = ".".join(["ada" * 20] * 5)
"""Longer than a name can be (RFC 1035 section 2.3.4), so no server is asked, which may be slow."""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unknown_name_is_for_dns(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(f"{scheme}://{UNKNOWN}:28443/", capsys)
    for wrong in ("ssl;", "server_name ada", "bind =", "--mend-for"):
        assert wrong not in out
    assert f"Make {UNKNOWN} known in DNS, or in /etc/hosts" in out


def test_on_this_machine_labgate_is_not_told_to_listen_everywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    out = printed(f"https://localhost:{port}", capsys)
    assert f"[listen] https_port = {port}" in out
    assert "bind =" not in out


def test_browsers_know_more_names_than_this_machine() -> None:
    facts = {"unknown_name": "bob.localhost"}
    assert "Browsers resolve *.localhost themselves; this machine does not" in remedy(facts)
    assert "127.0.0.1 bob.localhost" in remedy(facts)
    assert "Browsers" not in remedy({"unknown_name": "lab.example.org"})

"""What is printed of a report: prose is folded, lines to paste never are."""

from __future__ import annotations

import pytest

from proxy.cli.doctor_report import print_report
from proxy.doctor.finding import Finding, Report

ORIGIN = Finding(
    "origin-refused",
    "Origin",
    "POST /login with Origin: https://lab.example.org, Referer: https://lab.example.org/login",
    "404 Not Found [bold]and no markup[/bold]",
    {"domain": "lab.example.org", "upstream": "127.0.0.1:8888"},
)


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(report: Report, capsys: pytest.CaptureFixture[str], mend_for: str = "") -> str:
    print_report(report, mend_for)
    return capsys.readouterr().out


def report(*findings: Finding, server: str = "nginx", **untried: str) -> Report:
    passed = ["address", "jupyter"]
    return Report("https://lab.example.org/", list(findings), passed, untried, server)


def test_lines_to_paste_stand_alone_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN), capsys)
    mends = ORIGIN.mends
    for server in ("nginx", "jupyter"):
        assert f"\n\n{mends[server].rstrip()}\n\n" in out
    for server in ("caddy", "traefik", "haproxy", "apache"):
        assert mends[server] not in out
    assert "--mend-for caddy, traefik, haproxy, apache, labgate or all" in out
    for lines in (mends["nginx"], mends["jupyter"]):
        out = out.replace(lines.rstrip(), "")
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "[bold]and no markup[/bold]" in out


@pytest.mark.parametrize("mend_for", ["caddy", "haproxy"])
def test_another_server(mend_for: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN), capsys, mend_for)
    assert ORIGIN.mends[mend_for].rstrip() in out
    assert ORIGIN.mends["nginx"].rstrip() not in out


@pytest.mark.parametrize(("server", "mend_for"), [("nginx", "all"), ("", ""), ("unknown", "")])
def test_all_servers(server: str, mend_for: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN, server=server), capsys, mend_for)
    assert [server for server, lines in ORIGIN.mends.items() if lines.rstrip() not in out] == []


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(silence="70 s: --long"), capsys)
    told = "Nothing is wrong at https://lab.example.org/ (2 probes). Not tried: 70 s: --long."
    assert " ".join(out.split()) == told


def test_what_waits_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN, post="needs login", kernel="needs post"), capsys)
    assert "run labgate doctor again: 2 probes wait until then" in " ".join(out.split())
    assert "Not tried" not in out

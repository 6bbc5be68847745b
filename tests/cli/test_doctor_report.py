"""What is printed of a report: prose is folded, lines to paste never are."""

from __future__ import annotations

import re

import pytest

from proxy.cli.doctor_report import MendsShown, print_report
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
    print_report(report, MendsShown(mend_for))
    return capsys.readouterr().out


def whole(server: str, out: str) -> bool:
    """Whether every line of a mend that is no comment is there as it is."""
    lines = ORIGIN.mends[server].splitlines()
    return all(line.lstrip().startswith("#") or f"\n{line}\n" in out for line in lines)


def test_a_long_comment_stays_a_comment_and_a_long_directive_stays_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = Finding(
        "origin-refused", "Origin", "GET /", "404", {"domain": "a" * 60 + ".example.org"}
    )
    out = printed(report(long), capsys, "all")
    assert max(len(line) for line in out.splitlines() if line.startswith("#")) <= 80
    lines = [line for mend in long.mends.values() for line in mend.splitlines()]
    uncommented = [line for line in lines if not line.lstrip().startswith("#")]
    assert max(len(line) for line in uncommented) > 80
    assert [line for line in uncommented if f"{line}\n" not in out] == []


def report(*findings: Finding, server: str = "nginx", **untried: str) -> Report:
    passed = ["address", "jupyter"]
    return Report("https://lab.example.org/", list(findings), passed, untried, server)


def test_lines_to_paste_stand_alone_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN), capsys)
    for server in ("nginx", "jupyter"):
        assert whole(server, out)
    for server in ("caddy", "traefik", "apache"):
        assert not whole(server, out)
    assert "--mend-for caddy, traefik, haproxy, apache, labgate or all" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "[bold]and no markup[/bold]" in out


@pytest.mark.parametrize(
    ("perhaps", "mend_for", "heading"),
    [
        (True, "", "Mend, if this is Traefik:"),
        (True, "traefik", "Mend, in Traefik:"),
        (False, "", "Mend, in Traefik:"),
    ],
)
def test_a_server_that_may_be_another_one(
    perhaps: bool, mend_for: str, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(ORIGIN, server="traefik")
    found.perhaps = perhaps
    out = printed(found, capsys, mend_for)
    assert f"   {heading}\n" in out
    assert whole("traefik", out)


@pytest.mark.parametrize("mend_for", ["caddy", "haproxy"])
def test_another_server(mend_for: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN), capsys, mend_for)
    assert whole(mend_for, out)
    assert not whole("nginx", out)


@pytest.mark.parametrize(("server", "mend_for"), [("nginx", "all"), ("", ""), ("unknown", "")])
def test_all_servers(server: str, mend_for: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN, server=server), capsys, mend_for)
    assert [server for server in ORIGIN.mends if not whole(server, out)] == []


@pytest.mark.parametrize("width", [30, 40, 55])
def test_no_name_is_broken_at_its_hyphens(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    sent = "GET /api/events/subscribe with Sec-WebSocket-Protocol, X-Forwarded-Proto: https"
    finding = Finding("extended-connect", "Sec-WebSocket-Protocol", sent, "the stream was reset")
    words = set(printed(report(finding, needed="needs http2-socket"), capsys).split())
    for text in (finding.symptom.title, finding.symptom.check, sent):
        assert set(text.split()) - words <= {finding.symptom.title.split()[-1]}
    assert "extended-connect." in words


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(silence="70 s: --long"), capsys)
    told = "Nothing is wrong at https://lab.example.org/ (2 probes). Not tried: 70 s: --long."
    assert " ".join(out.split()) == told


def test_what_waits_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN, post="needs login", kernel="needs post"), capsys)
    assert "run labgate doctor again: 2 probes wait until then" in " ".join(out.split())
    assert "Not tried" not in out


def test_it_says_whether_one_of_the_mends_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(report(ORIGIN), capsys)
    assert "   Mend, in nginx:" in out
    assert "   And, unless Jupyter knows this name already, in jupyter_server_config.py:" in out
    alone = printed(report(ORIGIN), capsys, "jupyter")
    assert "   Mend, in jupyter_server_config.py:" in alone


@pytest.mark.parametrize(
    ("silent", "named"),
    [
        (("caddy", "labgate"), ["the Caddyfile:", "labgate.toml:"]),
        (("labgate",), ["labgate.toml:"]),
        (None, []),
    ],
)
def test_where_nothing_answers_the_lines_are_for_what_may_be_there(
    silent: tuple[str, ...] | None, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding("unreachable", "the address", "a connection", "refused")
    print_report(Report("https://localhost:8443/", [finding]), MendsShown(silent=silent))
    text = capsys.readouterr().out
    assert re.findall(r"in (.+:)$", text, re.MULTILINE) == named
    assert ("labgate up" in text) == (silent is None)
    for other in {"nginx", "traefik"} if silent else set():
        assert re.search(rf"For others: --mend-for .*{other}", text)


@pytest.mark.parametrize(
    ("server", "headings"),
    [
        ("nginx", ["Mend, in nginx:", "And, unless it is named already, in labgate.toml:"]),
        ("", ["Mend, in labgate.toml:"]),
    ],
)
def test_where_labgate_refused_its_own_lines_are_shown_too(
    server: str, headings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding("host-not-served", "Host", "GET /api", "421", {"domain": "localhost"})
    out = printed(report(finding, server=server), capsys)
    assert re.findall(r"^   (.* in .*:)$", out, re.MULTILINE) == headings
    assert ("proxy_set_header Host $http_host;" in out) == (server == "nginx")
    assert re.search(r"For others: --mend-for .*haproxy", out)


def test_without_a_token_it_says_how_many_were_not_tried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = "no token and no password were given"
    out = printed(report(login=reason, post="needs login", kernel="needs post"), capsys)
    told = " ".join(out.split())
    assert "so far (2 probes), but 3 of 5 probes were not tried." in told
    assert f"Not tried: {reason}, and so 2 probes that need it." in told

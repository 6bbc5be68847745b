"""The lines printed once everything is ready."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from proxy.cli.ready_lines import Reader, print_progress, print_ready, ready_lines
from proxy.config.sections import StateSettings
from proxy.config.settings import Settings
from proxy.jupyter.launcher import Launched, Login
from proxy.net.upstream_address import UpstreamAddress

LINES = [("Open", "https://localhost:8443/lab"), ("", "and more"), ("Stop", "Ctrl-C")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO) -> str:
    print_ready(LINES, stream)
    return stream.getvalue()


PLAIN = "\n  Open     https://localhost:8443/lab\n           and more\n  Stop     Ctrl-C\n\n"


def test_a_log_gets_one_line_of_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "labgate")
    assert printed(io.StringIO()) == ""
    assert caplog.messages == ['ready: open="https://localhost:8443/lab; and more" stop="Ctrl-C"']


def test_progress_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "labgate")
    print_progress("Starting Jupyter …")
    assert caplog.messages == ["Starting Jupyter …"]


def test_a_terminal_gets_the_address_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033[1;36mhttps://localhost:8443/lab\033[0m\n" in printed(Terminal())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_the_plain_lines(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    assert printed(Terminal()) == PLAIN


def test_a_narrow_terminal_gets_them_folded_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    print_ready(
        [("Work", "in volume a-volume, which is at /home/jovyan"), ("", "cp " * 20)], stream
    )
    assert stream.getvalue().splitlines()[1:4] == [
        "  Work     in volume a-volume, which is",
        "           at /home/jovyan",
        "           " + "cp " * 20,
    ]


AT_TERMINAL = Reader(terminal=True, interactive=True, system="linux")
IN_A_LOG = Reader(terminal=False, interactive=False, system="linux")
ADDRESS = UpstreamAddress("127.0.0.1", 8888)


def lines_for(
    reader: Reader, jupyter: Launched, folder: Path, authority: Path | None = None
) -> dict[str, str]:
    settings = Settings(state=StateSettings(folder=folder))
    return dict(ready_lines(settings, jupyter, authority, reader))


@pytest.mark.parametrize(
    ("reader", "stopped_with_labgate", "stop"),
    [
        (
            AT_TERMINAL,
            "container jupyter",
            "Ctrl-C stops labgate and Jupyter (container jupyter); files are kept, kernels end",
        ),
        (AT_TERMINAL, "", "Ctrl-C stops labgate; Jupyter at http://127.0.0.1:8888 goes on"),
        (IN_A_LOG, "", "SIGTERM stops labgate; Jupyter at http://127.0.0.1:8888 goes on"),
    ],
)
def test_the_last_line_says_what_ends_it_and_what_it_stops(
    reader: Reader, stopped_with_labgate: str, stop: str, tmp_path: Path
) -> None:
    launched = Launched(ADDRESS, Login("unknown"), "", stopped_with_labgate)
    assert lines_for(reader, launched, tmp_path)["Stop"] == stop


def test_a_terminal_gets_the_token_and_a_log_the_file_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    launched = Launched(ADDRESS, Login("token", "s3cret"), "")
    shown = lines_for(AT_TERMINAL, launched, tmp_path)
    assert shown["Open"] == "https://localhost:8443/lab?token=s3cret"
    logged = lines_for(IN_A_LOG, launched, tmp_path)
    assert logged["Open"] == "https://localhost:8443/lab"
    assert logged["Log in"] == f"with the token in {tmp_path}/token"
    assert "s3cret" not in str(logged)


def test_a_token_that_the_file_does_not_hold_is_not_said_to_be_there(tmp_path: Path) -> None:
    launched = Launched(ADDRESS, Login("token", "earlier"), "")
    for content in (None, "s3cret\n"):
        if content:
            (tmp_path / "token").write_text(content)
        logged = lines_for(IN_A_LOG, launched, tmp_path)
        assert logged["Log in"] == "with the token this Jupyter was started with"


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_commands_that_trust_the_authority_can_be_pasted(system: str) -> None:
    """Two lines are one command, and only this system's are shown."""
    authority = Path("/home/ada lovelace/ca.pem")
    reader = Reader(terminal=True, interactive=True, system=system)
    launched = Launched(ADDRESS, Login("unknown"), "")
    lines = ready_lines(Settings(), launched, authority, reader)
    text_of_lines = "\n".join(text for _, text in lines)
    assert ("security add-trusted-cert" in text_of_lines) is (system == "darwin")
    assert ("update-ca-certificates" in text_of_lines) is (
        system == "linux" and Path("/usr/local/share/ca-certificates").is_dir()
    )
    pasted = text_of_lines[text_of_lines.find("sudo") :].partition("\nCtrl-C")[0]
    if "sudo" in text_of_lines:
        assert str(authority) in shlex.split(pasted.replace("\\\n", " "))
    for line in pasted.splitlines()[1:]:
        assert not line.lstrip().startswith("&&"), "the line before ran alone"


def test_a_log_gets_no_commands(tmp_path: Path) -> None:
    launched = Launched(ADDRESS, Login("unknown"), "")
    lines = ready_lines(Settings(), launched, tmp_path / "ca.pem", IN_A_LOG)
    assert [label for label, _ in lines] == ["Open", "Log in", "Jupyter", "Trust", "Stop"]
    assert lines[-2][1].endswith(f"{tmp_path}/ca.pem")

"""The lines printed once everything is ready."""

from __future__ import annotations

import io

import pytest

from proxy.cli.ready_lines import print_ready, ready_lines
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


def test_a_file_gets_the_plain_lines() -> None:
    assert printed(io.StringIO()) == (
        "\n  Open     https://localhost:8443/lab\n           and more\n  Stop     Ctrl-C\n\n"
    )


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
    assert printed(Terminal()) == printed(io.StringIO())


@pytest.mark.parametrize(
    ("stopped_with_labgate", "stop"),
    [
        (
            "container jupyter",
            "Ctrl-C stops labgate and Jupyter (container jupyter); files are kept, kernels end",
        ),
        ("", "Ctrl-C stops labgate; Jupyter at http://127.0.0.1:8888 goes on"),
    ],
)
def test_the_last_line_says_what_ctrl_c_stops(stopped_with_labgate: str, stop: str) -> None:
    address = UpstreamAddress("127.0.0.1", 8888)
    launched = Launched(address, Login("unknown"), "", stopped_with_labgate)
    assert ready_lines(Settings(), launched, None)[-1] == ("Stop", stop)

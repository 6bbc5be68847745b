"""``labgate doctor`` at the command line: usage, and its question at a real terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from proxy.cli.arguments import parse_arguments
from proxy.cli.command import command
from proxy.cli.doctor import read_credentials
from proxy.doctor.examination import Credentials
from tests.e2e.programs import ROOT, TOKEN, Jupyter, free_port

WRONG_USAGE = [
    ("doctor ftp://lab.example.org", "must begin with https:// or http://"),
    ("doctor https://ada:secret@lab.example.org", "may not hold a user or a password"),
    ("doctor h --ca /dev/null", "--ca /dev/null: no certificates in PEM form"),
    ("doctor h --upstream unix:lab.sock", "unix:lab.sock: a Unix socket needs an absolute path"),
    ("doctor h --mend-for iis", "--mend-for: 'iis' is none of nginx, caddy"),
    ("doctor h --http-port x", "--http-port: invalid int value"),
]


@pytest.mark.parametrize(("line", "said"), WRONG_USAGE)
def test_wrong_usage(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = command(line.split())
    except SystemExit as exit_:
        code = int(str(exit_.code))
    assert code == 2
    told = capsys.readouterr().err
    assert said in told
    assert "secret" not in told


def test_nothing_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["doctor", f"http://127.0.0.1:{free_port()}"]) == 1
    out = capsys.readouterr().out
    assert "unreachable" in out
    assert "nothing listens there" in out


GIVEN: list[tuple[str, Mapping[str, str], str, Credentials]] = [
    ("", {}, "", Credentials()),
    ("--token flag", {"LABGATE_DOCTOR_TOKEN": "variable"}, "url", Credentials("flag")),
    ("--token-file {}", {"LABGATE_DOCTOR_TOKEN": "variable"}, "url", Credentials("file")),
    ("", {"LABGATE_DOCTOR_TOKEN": "variable"}, "url", Credentials("url")),
    ("", {"LABGATE_DOCTOR_TOKEN": "variable"}, "", Credentials("variable")),
    ("--password-file {}", {"LABGATE_DOCTOR_PASSWORD": "variable"}, "", Credentials("", "file")),
    ("", {"LABGATE_DOCTOR_PASSWORD": "variable"}, "", Credentials("", "variable")),
]


@pytest.mark.parametrize(("options", "environment", "in_url", "credentials"), GIVEN)
def test_where_secrets_come_from(
    options: str,
    environment: Mapping[str, str],
    in_url: str,
    credentials: Credentials,
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("file\n")
    parsed = parse_arguments(["doctor", "h", *options.format(tmp_path / "secret").split()])
    assert read_credentials(parsed, in_url, environment) == credentials


def test_credentials_are_not_shown() -> None:
    assert "planted" not in repr(Credentials("planted", "planted"))


@contextmanager
def at_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``labgate doctor`` in front at a terminal of 80 columns, and our end of it."""
    terminal, theirs = pty.openpty()
    in_front = (
        "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "sys.argv[0] = 'labgate'; from proxy.__main__ import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", in_front, "doctor", *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process, terminal
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def shown(terminal: int, up_to: bytes = b"") -> str:
    """What the terminal shows, up to some text or to the end, without colours."""
    output = b""
    with suppress(OSError):  # Linux's end of a pseudo-terminal
        while not up_to or up_to not in output:
            piece = os.read(terminal, 4096)
            if not piece:
                break
            output += piece
    return re.sub(r"\x1b\[[\d?]*\w", "", output.decode())


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with Jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_it_asks_for_the_token_and_does_not_show_it(jupyter: Jupyter) -> None:
    with at_a_terminal(jupyter.upstream) as (process, terminal):
        before = shown(terminal, b"Token or password of this Jupyter (Enter: none): ")
        assert "✓ Encoded paths" in before
        os.write(terminal, TOKEN.encode() + b"\n")
        after = shown(terminal)
        assert process.wait(60) == 0
    assert "✓ WebSocket of the kernel" in after
    assert "Nothing is wrong at" in after
    assert TOKEN not in before + after


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_without_an_answer_it_tries_what_needs_none(jupyter: Jupyter) -> None:
    with at_a_terminal(jupyter.upstream) as (process, terminal):
        shown(terminal, b"(Enter: none): ")
        os.write(terminal, b"\n")
        after = shown(terminal)
        assert process.wait(60) == 0
    assert "Not tried: no token and no password were given" in " ".join(after.split())


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_it_can_be_interrupted_while_it_asks(jupyter: Jupyter) -> None:
    with at_a_terminal(jupyter.upstream) as (process, terminal):
        shown(terminal, b"(Enter: none): ")
        os.write(terminal, b"\x03")
        shown(terminal)
        assert process.wait(60) == 128 + signal.SIGINT

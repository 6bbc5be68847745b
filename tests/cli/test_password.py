"""``labgate password``: a passphrase from a pipe, a hash on standard output."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.access.htpasswd import matches, parse_htpasswd
from proxy.cli.command import command
from proxy.config.password_hash import problem_with_jupyter_hash


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What comes from the pipe."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdin", pipe)
    return pipe


def put(pipe: io.StringIO, text: str) -> None:
    pipe.write(text)
    pipe.seek(0)


def test_without_a_user_it_is_jupyters(
    typed: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    put(typed, "open sesame\n")
    assert command(["password"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("argon2:$argon2id$")
    assert problem_with_jupyter_hash(out.strip()) == ""


@pytest.mark.parametrize("user", ["ada", "böb c"])
def test_a_line_of_an_htpasswd_file(
    user: str, typed: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    put(typed, "öpen: sesame\n")
    assert command(["password", "--htpasswd", user]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{user}:$2b$12$")
    users = parse_htpasswd(out, Path("f"))
    assert matches("öpen: sesame".encode(), users[user])
    assert not matches(b"open: sesame", users[user])


@pytest.mark.parametrize(
    ("user", "passphrase", "code", "about"),
    [
        ("", "sesame", 2, "name is empty"),
        ("a:b", "sesame", 2, "no colon"),
        ("#a", "sesame", 2, "no # in front"),
        ("a\nb", "sesame", 2, "control characters"),
        (" a", "sesame", 2, "no spaces around"),
        ("a", "", 1, "empty passphrase"),
        ("a", "x" * 73, 1, "72 bytes"),
        ("a", "é" * 37, 1, "72 bytes"),
        ("a", "se\x07same", 1, "control characters"),
        ("a", "sesame\r", 1, "control characters"),
    ],
)
def test_what_no_login_could_repeat(
    user: str,
    passphrase: str,
    code: int,
    about: str,
    typed: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(typed, passphrase + "\n")
    assert command(["password", "--htpasswd", user]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert about in err
    assert err.startswith("labgate: ")
    assert not passphrase or passphrase not in err


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    missing = str(tmp_path / "htpasswd")
    upstream = ["--upstream", "http://127.0.0.1:2", "--no-tls", "--http-port", "1"]
    # A process of its own: labgate ignores SIGTERM from its end on, and so would this one.
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", "serve", *upstream, "--htpasswd", missing],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert f"{missing} (access.htpasswd) cannot be read" in ran.stderr
    assert f"labgate password --htpasswd USER >> {missing}" in ran.stderr

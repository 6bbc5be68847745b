"""``make up`` as a person uses it: at a terminal, ended by Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import require
from tests.e2e.programs import ROOT, free_port

PATIENCE_SECONDS = 60.0


def test_ctrl_c_ends_it_with_0(tmp_path: Path) -> None:
    require(shutil.which("make"), "no make", "apt-get install make")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    program = venv / "bin" / "labgate"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m proxy "$@"\n')
    program.chmod(0o755)
    for stamp in ("made.stamp", "up.stamp"):  # nothing is to be installed
        (venv / stamp).touch()
    ports = f"--https-port {free_port()} --http-port {free_port()}"
    arguments = f"--launch none --upstream http://127.0.0.1:9 --bind 127.0.0.1 {ports}"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ |= {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
        os.execvp("make", ["make", "up", f"VENV={venv}", f"ARGS={arguments}"])
    shown = _until(terminal, b"Ctrl-C stops labgate")
    os.write(terminal, b"\x03")
    shown += _until(terminal, b"")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown.decode()
    assert b"***" not in shown


def test_a_mistyped_option_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    require(shutil.which("make"), "no make", "apt-get install make")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "made.stamp").touch()
    # Without the packages that are still to be installed.
    program = venv / "bin" / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    program.chmod(0o755)
    command = ["make", "up", f"VENV={venv}", "ARGS=--launch process --domian lab.example.org"]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("labgate: unknown option --domian; did you mean --domain?\n")
    assert "Preparing" not in ran.stderr
    assert not (venv / "up.stamp").exists()


def _until(terminal: int, text: bytes) -> bytes:
    """What is shown until ``text`` is; empty text: until the other side has ended."""
    shown = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not text or text not in shown:
        assert time.monotonic() < deadline, shown.decode()
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                return shown  # Linux tells the end of a terminal's other side as EIO
            if not piece:
                return shown
            shown += piece
    return shown

"""A process that is not a child of this one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from proxy.service.detached_process import DetachedProcess
from tests.e2e.programs import until

PROGRAM = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
pathlib.Path(sys.argv[1]).write_text(os.environ["WORD"])
signal.pause()
"""


async def test_its_parent_is_another_and_its_end_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "word"
    command = [sys.executable, "-c", PROGRAM, str(file)]
    process = DetachedProcess(command, os.environ | {"WORD": "here"})
    ended = asyncio.ensure_future(process.wait())
    until(lambda: file.exists() and file.read_text() == "here", "it did not start")
    assert psutil.Process(process.pid).ppid() != os.getpid()
    assert not ended.done()
    process.terminate()
    async with asyncio.timeout(20):
        await ended
    process.terminate()


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be started"):
        DetachedProcess([str(tmp_path / "none")], os.environ)

"""Whether a process has ended, with real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from proxy.runtime.process_end import has_ended, has_gone

WAYS = [has_ended, has_gone]


@pytest.mark.parametrize("ended", WAYS)
def test_one_that_runs(ended: Callable[[int, float], bool]) -> None:
    assert not ended(os.getpid(), 0.1)


@pytest.mark.parametrize("ended", WAYS)
def test_another_users(ended: Callable[[int, float], bool]) -> None:
    assert not ended(1, 0)


@pytest.mark.parametrize("ended", WAYS)
def test_one_that_has_ended(ended: Callable[[int, float], bool]) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert ended(process.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open is Linux's")
def test_one_that_nobody_has_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert has_ended(process.pid, 30)

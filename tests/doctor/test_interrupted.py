"""However the doctor is ended, it leaves no kernel, terminal or file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.doctor.leftovers import leftovers
from tests.e2e.programs import ROOT, TOKEN, Jupyter, until

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]


def with_kernel(jupyter: Jupyter) -> bool:
    return any("/api/sessions" in one for one in leftovers(jupyter))


def with_terminal(jupyter: Jupyter) -> bool:
    return any("/api/terminals" in one for one in leftovers(jupyter))


def with_file(jupyter: Jupyter) -> bool:
    return any(jupyter.work.iterdir())


def with_large_file(jupyter: Jupyter) -> bool:
    return any(file.stat().st_size > 1_000_000 for file in jupyter.work.iterdir())


MOMENTS = [
    (with_kernel, signal.SIGINT),
    (with_terminal, signal.SIGTERM),
    (with_file, signal.SIGINT),
    (with_large_file, signal.SIGHUP),
]


@pytest.mark.parametrize(("moment", "number"), MOMENTS)
def test_nothing_stays(
    moment: Callable[[Jupyter], bool], number: signal.Signals, jupyter: Jupyter
) -> None:
    doctor = subprocess.Popen(
        [sys.executable, "-m", "proxy", "doctor", jupyter.upstream, "--long"],
        cwd=ROOT,
        env=os.environ | {"LABGATE_DOCTOR_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: moment(jupyter) or doctor.poll() is not None, "it came to that moment")
        doctor.send_signal(number)
        out, err = doctor.communicate(timeout=60)
    finally:
        doctor.kill()
    assert doctor.returncode == 128 + number, err
    assert (out, err) == ("", "")
    assert leftovers(jupyter) == []

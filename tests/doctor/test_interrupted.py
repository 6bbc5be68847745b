"""However the doctor is ended, it leaves no kernel, terminal or file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor.leftovers import leftovers
from tests.e2e.programs import ROOT, TOKEN, Jupyter, until

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]


def with_kernel(new: set[str]) -> bool:
    return any("/api/sessions" in one for one in new)


def with_terminal(new: set[str]) -> bool:
    return any("/api/terminals" in one for one in new)


def with_file(new: set[str]) -> bool:
    return any(one.endswith(".txt") for one in new)


def with_large_file(new: set[str]) -> bool:
    return any(one.endswith(".txt") and Path(one).stat().st_size > 1_000_000 for one in new)


MOMENTS = [
    (with_kernel, signal.SIGINT),
    (with_terminal, signal.SIGTERM),
    (with_file, signal.SIGINT),
    (with_large_file, signal.SIGHUP),
]


@pytest.mark.parametrize(("moment", "number"), MOMENTS)
def test_nothing_stays(
    moment: Callable[[set[str]], bool], number: signal.Signals, jupyter: Jupyter
) -> None:
    before = set(leftovers(jupyter))
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
        until(
            lambda: moment(set(leftovers(jupyter)) - before) or doctor.poll() is not None,
            "it came to that moment",
        )
        doctor.send_signal(number)
        out, err = doctor.communicate(timeout=60)
    finally:
        doctor.kill()
        doctor.communicate()
    assert doctor.returncode == 128 + number, err
    assert err == ""
    told = " ".join(out.split())
    assert "Nothing is wrong at" in told
    assert "probes were not tried. Not tried: it was interrupted." in told

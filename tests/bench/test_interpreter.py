"""labgate is measured on the distribution's Python only where that can load what is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench import interpreter
from tests.bench.peers import labgates


def test_a_version_is_shown_without_its_path() -> None:
    shown = interpreter.version(sys.executable)
    assert shown.startswith(f"Python {sys.version.split()[0]} (")
    assert "/" not in shown


def test_labgate_starts_on_each_of_them() -> None:
    subjects = labgates()
    names = [one.name for one in subjects if one.name != "labgate-aiohttp"]
    assert names in (["labgate"], ["labgate", "labgate:venv"])
    assert all(one.has_workers() for one in subjects), "serve --help comes from there"


@pytest.mark.skipif(
    interpreter.distribution() is None,
    reason="no other Python of this version: apt-get install python3",
)
def test_the_distributions_loads_what_is_installed_here() -> None:
    python = interpreter.distribution()
    assert python is not None
    program = "import aiohttp, httptools; print(httptools.__version__)"
    command = [python, "-c", program]
    environment = {"PYTHONPATH": interpreter.packages()}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip()

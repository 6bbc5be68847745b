"""The process starts over once, and what it starts itself hears nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHOOSING = """
import os
from pathlib import Path
print(os.getpid())
from proxy.runtime import allocator
allocator.choose()
started_with = Path("/proc/self/environ").read_bytes().split(b"\\0")
print(os.getpid(), b"PYTHONMALLOC=malloc" in started_with, os.environ.get("PYTHONMALLOC"))
"""


def told(*options: str, **environment: str) -> list[str]:
    """The lines that a Python of its own printed before and after it chose."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    done = subprocess.run(
        [sys.executable, "-u", *options, "-c", CHOOSING],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


GLIBC = "CS_GNU_LIBC_VERSION" in os.confstr_names


@pytest.mark.skipif(not GLIBC, reason="malloc_trim(3) is glibc's: run it on such a Linux")
def test_it_starts_over_once_as_the_same_process() -> None:
    first, again, last = told()
    assert first == again
    assert last == f"{first} True None"


@pytest.mark.parametrize(
    ("options", "environment", "kept"),
    [
        ((), {"PYTHONMALLOC": "pymalloc"}, "pymalloc"),
        ((), {"PYTHONMALLOC": "debug"}, "debug"),
        (("-E",), {}, "None"),
        (("-X", "dev"), {}, "None"),
    ],
)
def test_what_somebody_chose_stays(
    options: tuple[str, ...], environment: dict[str, str], kept: str
) -> None:
    first, last = told(*options, **environment)
    assert last == f"{first} False {kept}"


def test_somebody_who_chose_malloc_needs_no_second_start() -> None:
    first, last = told(PYTHONMALLOC="malloc")
    assert last == f"{first} True None"

"""Descriptors are asked for, and what a crowd has used is given back."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

from proxy.runtime.memory import raise_descriptor_limit, raise_soft_limit

RAISING = """
import resource, sys
from proxy.runtime.memory import raise_descriptor_limit
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_descriptor_limit(connections), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

REMEMBERING = """
import gc
from proxy.runtime.memory import MemoryReclaimer
class Connection: pass
def crowd(size):
    for _ in range(size):
        one = Connection()
        one.itself = one
def left():
    return sum(isinstance(one, Connection) for one in gc.get_objects())
memory = MemoryReclaimer(0)
gc.disable()
memory.check(4000, 1)
crowd(1000)
for connections, now in [(3000, 2), (400, 3)]:
    memory.check(connections, now)
    print(left())
for connections, now in [(60, 4), (60, 5), (60, 8), (60, 9), (4000, 17), (4000, 900), (4000, 1700)]:
    crowd(1)
    memory.check(connections, now)
    print(left())
"""


MAPPED = """
import ctypes
from proxy.runtime.memory import map_large_buffers
class Info(ctypes.Structure):
    _fields_ = [(str(number), ctypes.c_size_t) for number in range(10)]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
def mapped():
    return getattr(libc.mallinfo2(), "3")
kept = []
for wanted in (True, False):
    map_large_buffers(wanted)
    before = mapped()
    kept += [bytearray(256 * 1024) for _ in range(5)]
    print(mapped() - before)
"""


def printed(program: str, *arguments: int) -> list[int]:
    """The numbers that a Python of its own printed."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return [int(one) for one in done.stdout.split()]


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "fit", "raised"),
    [
        (256, 4096, 1000, 1000, 2512),
        (256, 1024, 1000, 256, 1024),
        (3000, 4096, 1000, 1000, 3000),
        (64, 64, 1000, 1, 64),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    soft: int, hard: int, connections: int, fit: int, raised: int
) -> None:
    assert printed(RAISING, soft, hard, connections) == [fit, raised]


@pytest.mark.parametrize(("most", "limit"), [(100_000, 20_512), (10_240, 5_128), (100, 256)])
def test_a_limit_that_is_told_nowhere_is_come_near_to(most: int, limit: int) -> None:
    """macOS says that the hard limit is infinite, and refuses what is above another number."""
    accepted = []

    def set_limit(wanted: tuple[int, int]) -> None:
        if wanted[0] > most:
            raise ValueError("current limit exceeds maximum limit")
        accepted.append(wanted[0])

    assert raise_soft_limit(256, 20_512, set_limit, resource.RLIM_INFINITY) == limit
    assert accepted == ([limit] if limit > 256 else [])


def test_enough_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_descriptor_limit(1) == 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's: run it on such a Linux"
)
def test_buffers_get_pages_of_their_own_when_they_are_to() -> None:
    assert printed(MAPPED) == [5, 0]


def test_what_a_crowd_left_is_collected_when_it_is_gone() -> None:
    at_once, later, back_again = [1000, 0], [1, 0, 1, 0], [1, 2, 3]
    assert printed(REMEMBERING) == at_once + later + back_again

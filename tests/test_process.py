"""Descriptors are asked for, and what a crowd has used is given back."""

from __future__ import annotations

import logging
import resource
import subprocess
import sys

import pytest

from proxy.process import raise_descriptor_limit

RAISING = """
import resource, sys
from proxy.process import raise_descriptor_limit
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_descriptor_limit(connections)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

REMEMBERING = """
import gc
from proxy.process import Memory
class Connection: pass
def crowd():
    for _ in range(1000):
        one = Connection()
        one.itself = one
memory = Memory()
gc.disable()
memory.look(4000)
crowd()
memory.look(3000)
print(sum(isinstance(one, Connection) for one in gc.get_objects()))
memory.look(400)
print(sum(isinstance(one, Connection) for one in gc.get_objects()))
"""


def said(program: str, *arguments: int) -> tuple[str, str]:
    """What a Python of its own printed, and logged."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised", "warned"),
    [
        (256, 4096, 1000, 2512, False),
        (256, 1024, 1000, 1024, True),
        (3000, 4096, 1000, 3000, False),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    soft: int, hard: int, connections: int, raised: int, warned: bool
) -> None:
    limit, logged = said(RAISING, soft, hard, connections)
    assert int(limit) == raised
    assert ("limits.connections is 1000" in logged) == warned
    assert ("set limits.connections to 256" in logged) == warned


def test_enough_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with caplog.at_level(logging.WARNING):
        raise_descriptor_limit(1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
    assert not caplog.records


def test_what_a_crowd_left_is_collected_when_it_is_gone() -> None:
    printed, _ = said(REMEMBERING)
    assert printed.split() == ["1000", "0"]

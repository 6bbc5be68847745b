from __future__ import annotations

import platform

import pytest

from tests.runtime.interpreter import printed_numbers

COLLECTING = """
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


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's: run it on such a Linux"
)
def test_large_buffers_are_mapped_on_request() -> None:
    assert printed_numbers(MAPPED) == [5, 0]


def test_garbage_is_collected_when_most_connections_have_closed() -> None:
    just_closed, delayed, reconnected = [1000, 0], [1, 0, 1, 0], [1, 2, 3]
    assert printed_numbers(COLLECTING) == just_closed + delayed + reconnected

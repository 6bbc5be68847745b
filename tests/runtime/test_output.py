"""The writer behind standard output and error: on real pipes, and whatever they do."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest

from proxy.runtime import output
from proxy.runtime.output import MAX_PIPE_WRITE_BYTES, Output, line_batches


class Pipe:
    """A pipe, with an ``Output`` at its writing end."""

    def __init__(self, max_waiting_bytes: int = output.MAX_WAITING_BYTES) -> None:
        self.reading, self.writing = os.pipe()
        self.output = Output(self.writing, max_waiting_bytes)

    def read(self, ending: bytes) -> bytes:
        """Up to these octets, which have to come."""
        received = b""
        while not received.endswith(ending):
            received += os.read(self.reading, 1)
        return received

    def fill(self) -> int:
        """Until not one octet more fits; how many it took."""
        os.set_blocking(self.writing, False)
        filled = 0
        for size in (MAX_PIPE_WRITE_BYTES, 1):
            with suppress(BlockingIOError):
                while True:
                    filled += os.write(self.writing, b"." * size)
        os.set_blocking(self.writing, True)
        return filled

    def empty(self, filled: int) -> None:
        while filled:
            filled -= len(os.read(self.reading, filled))

    def close(self) -> None:
        for descriptor in (self.reading, self.writing):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()
    pipe.output.end()


def test_lines_come_in_order(pipe: Pipe) -> None:
    for number in range(1000):
        pipe.output.write(b"%d\n" % number)
    assert pipe.read(b"\n999\n").split() == [b"%d" % number for number in range(1000)]


def test_end_waits_for_what_is_waiting(pipe: Pipe) -> None:
    filled = pipe.fill()
    pipe.output.write(b"the last words\n")
    ending = threading.Thread(target=pipe.output.end)
    ending.start()
    pipe.empty(filled)
    ending.join()
    os.set_blocking(pipe.reading, False)
    assert os.read(pipe.reading, 100) == b"the last words\n"
    assert pipe.output.write(b"too late\n") == 9


def test_end_does_not_wait_for_a_reader_that_stands_still(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "STALLED_SECONDS", 0.05)
    pipe.fill()
    pipe.output.write(b"x\n")
    pipe.output.end()


def test_a_write_never_waits_and_lost_lines_are_reported_in_place() -> None:
    pipe = Pipe(max_waiting_bytes=100)
    filled = pipe.fill()
    for number in range(40):
        pipe.output.write(b"line %d\n" % (number + 10))
    pipe.empty(filled)
    received = pipe.read(b"read fast enough\n").decode()
    assert re.fullmatch(
        "".join(f"line {number + 10}\n" for number in range(12))
        + r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING 28 lines were lost here: .* fast enough\n",
        received,
    )
    pipe.output.write(b"and on\n")
    assert pipe.read(b"\n") == b"and on\n"
    pipe.close()
    pipe.output.end()


def test_lines_lost_on_a_full_disk_are_counted() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    reading, writing = os.pipe()
    given = Output(full)
    for _ in range(3):
        given.write(b"lost\n")
    given._drain()
    os.dup2(writing, full)  # there is space again
    given.write(b"not lost\n")
    with os.fdopen(reading, "rb", 0) as lines:
        assert lines.readline().endswith(
            b"WARNING 3 lines were lost here: No space left on device\n"
        )
        assert lines.readline() == b"not lost\n"
    given.end()
    os.close(full)
    os.close(writing)


def test_a_pipe_that_somebody_made_non_blocking(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    wanted = b"".join(b"%d\n" % number for number in range(50_000))
    pipe.output.write(wanted)
    assert pipe.read(b"\n49999\n") == wanted


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe) -> None:
    os.close(pipe.reading)
    pipe.output.write(b"x\n" * 10_000)
    pipe.output.end()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"one\n",
        b"no end",
        b"x" * 10_000 + b"\n",
        b"x" * 10_000 + b"\nshort\n" + b"y" * 9_000,
        b"".join(b"%d" % number * (number % 90) + b"\n" for number in range(2000)),
    ],
)
def test_pieces_are_whole_lines_that_no_other_process_can_split(octets: bytes) -> None:
    found = list(line_batches(octets))
    assert b"".join(found) == octets
    assert all(piece.endswith(b"\n") for piece in found[:-1])
    assert all(len(piece) <= MAX_PIPE_WRITE_BYTES or piece.count(b"\n") <= 1 for piece in found)
    assert all(len(a) + len(b) > MAX_PIPE_WRITE_BYTES for a, b in pairwise(found))

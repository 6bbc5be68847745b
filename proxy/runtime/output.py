"""Standard output and standard error that never block and never fail.

A pipe that nobody reads, a full disk, or a closed terminal must neither end labgate nor block it.
So ``replace_standard_streams`` puts streams in the place of ``sys.stdout`` and ``sys.stderr`` whose
writes never fail and never wait. A thread writes the lines; a slow reader blocks only that thread.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TextIO

from proxy.runtime.log_format import STANDARD_ERROR_FORMAT

MAX_WAITING_BYTES = 1024 * 1024
"""The limit of unwritten output; further lines are dropped and counted."""

MAX_PIPE_WRITE_BYTES = 4096
"""PIPE_BUF of Linux: smaller writes of several processes do not interleave (pipe(7))."""

STALLED_SECONDS = 1.0
"""At the exit, give up after this time without any progress."""

FINAL_WRITE_SECONDS = 5.0
"""At the exit, give up after this time even if the reader is only slow."""


class Output(io.RawIOBase):
    """A file descriptor with a thread that writes to it. Methods may be called from any thread.

    Lines that are lost, because a write failed or too many were waiting, are counted. The next
    successful write reports their number.

    Args:
        descriptor: It stays open when this is closed.
        max_waiting_bytes: The limit of unwritten output.
    """

    def __init__(self, descriptor: int, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._descriptor = descriptor
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._written_batches = 0
        self._overflowing = False
        self._lost_lines = 0
        self._changed = threading.Condition()
        self._ending = False
        self._failed_lines, self._failure, self._midline = 0, "", False  # the thread's own
        self._thread = threading.Thread(target=self._run, name=f"output {descriptor}", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Queue ``data``; never blocks, never raises."""
        octets = bytes(data)
        if self._ending:
            return len(octets)
        with self._changed:
            if self._overflowing or self._waiting_bytes + len(octets) > self._max_waiting_bytes:
                self._overflowing = True
                self._lost_lines += octets.count(b"\n")
            elif octets:
                self._waiting.append(octets)
                self._waiting_bytes += len(octets)
                self._changed.notify_all()
        return len(octets)

    def end(self) -> None:
        """Wait until everything is written or writing has stalled; accept no more."""
        self._drain()
        # Take no lock from here on: at the interpreter's exit the thread may stop and keep it.
        self._ending = True
        if self._changed.acquire(timeout=STALLED_SECONDS):
            self._changed.notify_all()
            self._changed.release()
        self._thread.join(0 if self._waiting_bytes else STALLED_SECONDS)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def _drain(self) -> None:
        deadline = time.monotonic() + FINAL_WRITE_SECONDS
        with self._changed:
            while self._waiting_bytes and time.monotonic() < deadline:
                before = self._written_batches
                if not self._changed.wait_for(
                    partial(self._has_progressed, before), STALLED_SECONDS
                ):
                    return

    def _has_progressed(self, batches: int) -> bool:
        return self._written_batches > batches

    def _run(self) -> None:
        while octets := self._next():
            for piece in line_batches(octets):
                self._write_out(piece)
                with self._changed:
                    self._waiting_bytes -= len(piece)
                    self._written_batches += 1
                    self._changed.notify_all()

    def _next(self) -> bytes:
        """All queued octets; empty at the end."""
        with self._changed:
            # The lost lines came after everything that was queued.
            if self._overflowing and not self._waiting:
                self._overflowing = False
                notice = _notice(self._lost_lines, "nobody read fast enough")
                self._lost_lines = 0
                self._waiting.append(notice)
                self._waiting_bytes += len(notice)
            while not self._waiting and not self._ending:
                self._changed.wait()
            octets = b"".join(self._waiting)
            self._waiting.clear()
            return octets

    def _write_out(self, piece: bytes) -> None:
        octets = piece
        if self._failed_lines:
            octets = _notice(self._failed_lines, self._failure) + piece
            if self._midline:
                octets = b"\n" + octets
        left = memoryview(octets)
        try:
            while left:
                with suppress(BlockingIOError):
                    left = left[os.write(self._descriptor, left) :]
                    continue
                # Another process with the same pipe or terminal made it non-blocking.
                select.select((), (self._descriptor,), ())
        except (OSError, ValueError) as error:
            self._failed_lines += piece.count(b"\n")
            self._failure = getattr(error, "strerror", None) or str(error)
            written = len(octets) - len(left)
            self._midline = octets[written - 1] != ord("\n") if written else self._midline
        else:
            self._failed_lines, self._midline = 0, False


def line_batches(octets: bytes) -> Iterator[bytes]:
    """Split into whole lines, as many together as a shared pipe writes without interleaving."""
    start = 0
    while start < len(octets):
        end = octets.rfind(b"\n", start, start + MAX_PIPE_WRITE_BYTES) + 1
        if not end:  # one line that is longer
            end = octets.find(b"\n", start) + 1 or len(octets)
        if len(octets) - start <= MAX_PIPE_WRITE_BYTES:
            end = len(octets)
        yield octets[start:end]
        start = end


def open_standard_descriptors() -> None:
    """Open /dev/null for those of the descriptors 0, 1 and 2 that are closed (``>&-``).

    Call it before anything else is opened: a socket could get the descriptor of standard error,
    and log lines would be sent to a client.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, so this one
            os.set_inheritable(nothing, True)
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))


def discard_standard_output() -> None:
    """Nothing more is written to standard output, not even what waits in its buffer."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def replace_standard_streams() -> None:
    """Replace stdout and stderr by streams that never fail and never block.

    If both lead to the same file, they share a thread, which preserves the order of lines.
    """
    error = Output(2)
    output = error if _same(1, 2) else Output(1)
    sys.stdout, sys.stderr = _text(output, sys.stdout), _text(error, sys.stderr)
    atexit.register(_end, [sys.stdout, sys.stderr], [output, error])


def _text(output: Output, before: TextIO | None) -> TextIO:
    """A text stream with the previous encoding; it writes whole lines."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    buffer: io.BytesIO = output  # type: ignore[assignment]  # TextIOWrapper writes, no more
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True)


def _end(streams: list[TextIO], outputs: list[Output]) -> None:
    # Another Ctrl-C ends this wait, the last one of the process.
    with suppress(KeyboardInterrupt):
        for stream in streams:
            stream.flush()
        for output in outputs:
            output.end()


def _same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False


def _notice(lines: int, why: str) -> bytes:
    line = STANDARD_ERROR_FORMAT.line(
        time.time(), "WARNING", f"{lines} lines were lost here: {why}"
    )
    return line.encode()

"""The access log: one line an exchange, secrets redacted."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

from proxy.inspector.redaction import printable, redact_target

from .record import Record

FLUSH_SECONDS = 0.2
MOST_LINES = 1000
MOST_OCTETS = 4096
"""Linux' PIPE_BUF: a write of no more is not mixed with another process' (pipe(7))."""


class AccessLog:
    """Writes the lines of a moment at once: a write for each costs as much as a request.

    They are at most ``FLUSH_SECONDS`` late; ``flush`` writes what is left.

    Args:
        stream: Standard error when none is given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._lines: list[str] = []
        self._second = 0
        self._stamp = ""

    def __call__(self, record: Record) -> None:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._lines.append(f"{self._stamp},{int(now * 1000) % 1000:03d} INFO {line(record)}\n")
        if len(self._lines) >= MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        lines, self._lines = self._lines, []
        if lines:
            # Standard error that is full or gone must not end requests.
            with suppress(OSError, ValueError):
                for text in _joined(lines):
                    self._stream.write(text)
                    self._stream.flush()


def _joined(lines: list[str]) -> Iterator[str]:
    """The lines in pieces that several workers may write to one pipe."""
    piece: list[str] = []
    size = 0
    for text in lines:
        # One character is four octets at most, as UTF-8 and as an escape.
        octets = len(text) if text.isascii() else 4 * len(text)
        if size + octets > MOST_OCTETS and piece:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(text)
        size += octets
    yield "".join(piece)


def line(record: Record) -> str:
    """``peer "METHOD target" status bytes_up bytes_down seconds outcome``."""
    head = record.head
    target = printable(redact_target(head.target), 2000)
    return (
        f'{head.arrival.peer} "{printable(head.method)} {target}" {record.status} '
        f"{record.bytes_up} {record.bytes_down} {record.seconds:.3f} {record.outcome}"
    )

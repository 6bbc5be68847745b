"""The access log: one line for each request, with secrets redacted."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from typing import TextIO

from proxy.observe.record import Record
from proxy.rules.redaction import printable, redact_target

FLUSH_SECONDS = 0.2
MAX_WAITING_LINES = 1000


class AccessLog:
    """Collects lines and writes them together: one write a line costs as much as a request.

    Lines are written within ``FLUSH_SECONDS``; call ``flush`` before the exit.

    Args:
        stream: Standard error by default, whose writes never fail (``proxy.runtime.output``).
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._lines: list[str] = []
        self._second = 0
        self._stamp = ""
        self._before_others = _FlushBefore(self)

    def attach(self, logger: logging.Logger) -> None:
        """Write what waits before each line of ``logger``, so that times ascend."""
        logger.addHandler(self._before_others)

    def detach(self, logger: logging.Logger) -> None:
        """Undo ``attach``."""
        logger.removeHandler(self._before_others)

    def __call__(self, record: Record) -> None:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        level = "WARNING" if record.warning else "INFO"
        self._lines.append(
            f"{self._stamp},{int(now * 1000) % 1000:03d} {level} {format_line(record)}\n"
        )
        if len(self._lines) >= MAX_WAITING_LINES:
            self.flush()

    def flush(self) -> None:
        """Write the waiting lines."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()


class _FlushBefore(logging.Handler):
    """Runs before the handlers of the root logger, which write."""

    def __init__(self, access_log: AccessLog) -> None:
        super().__init__()
        self._access_log = access_log
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        # Another thread could take a line away while it is added.
        if record.thread == self._thread:
            self._access_log.flush()


def format_line(record: Record) -> str:
    """``peer "METHOD target" status bytes_up bytes_down seconds outcome``, and ``: detail``."""
    head = record.head
    target = printable(redact_target(head.target), 2000)
    outcome = f"{record.outcome}: {record.detail}" if record.detail else record.outcome
    return (
        f'{head.arrival.peer} "{printable(head.method)} {target}" {record.status} '
        f"{record.bytes_up} {record.bytes_down} {record.seconds:.3f} {outcome}"
    )

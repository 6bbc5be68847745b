"""The access log: one line for each request, with secrets redacted.

What a line says is in ``access_line``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from typing import TextIO

from proxy.observe.access_line import facts_of, format_line
from proxy.observe.record import Record
from proxy.rules.decide import HEALTH_PATH, READY_PATH
from proxy.runtime.log_format import STANDARD_ERROR_FORMAT, LogFormat

FLUSH_SECONDS = 0.2
MAX_WAITING_LINES = 1000


class AccessLog:
    """Collects lines and writes them together: one write a line costs as much as a request.

    Lines are written within ``FLUSH_SECONDS``; call ``flush`` before the exit.

    Attributes:
        health: Whether answers to health probes have lines, too.

    Args:
        stream: Standard error by default, whose writes never fail (``proxy.runtime.output``).
        log_format: The form of the lines.
        health: The attribute.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        log_format: LogFormat = STANDARD_ERROR_FORMAT,
        health: bool = True,
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._format = log_format
        self.health = health
        self._lines: list[str] = []
        self._before_others = _FlushBefore(self)

    def attach(self, logger: logging.Logger) -> None:
        """Write what waits before each line of ``logger``, so that times ascend."""
        logger.addHandler(self._before_others)

    def detach(self, logger: logging.Logger) -> None:
        """Undo ``attach``."""
        logger.removeHandler(self._before_others)

    def __call__(self, record: Record) -> None:
        if not self.health and _is_probe(record):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        level = "WARNING" if record.warning else "INFO"
        if self._format.name == "text":
            line = self._format.line(time.time(), level, format_line(record))
        else:
            line = self._format.line(time.time(), level, *facts_of(record))
        self._lines.append(line)
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


def _is_probe(record: Record) -> bool:
    """Whether it asked after labgate's health, and was answered."""
    target = record.head.target
    return (
        target.startswith(b"/.")
        and target.partition(b"?")[0] in (HEALTH_PATH, READY_PATH)
        and not record.warning
    )

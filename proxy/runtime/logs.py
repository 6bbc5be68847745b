"""Sets up log lines: destination, form and level.

Tested by tests/runtime/test_log_format.py and tests/observe/test_fail2ban.py.
"""

from __future__ import annotations

import io
import logging
import sys

from proxy.runtime.log_format import STANDARD_ERROR_FORMAT, FormatName, LineFormatter

log = logging.getLogger("labgate")


class LogLines(io.StringIO):
    """A text stream whose lines are lines of the log: progress that no terminal shows."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                log.info("%s", line.rstrip())
        return len(text)


def log_to_stderr(level: str, log_format: FormatName = "text") -> None:
    """Write labgate's lines from ``level`` on, and other libraries' warnings.

    A later call, as of a reload, changes level and form of the lines that follow.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        log_format: The form of every line.
    """
    STANDARD_ERROR_FORMAT.name = log_format
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LineFormatter())
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    logging.getLogger("labgate").setLevel(level.upper())

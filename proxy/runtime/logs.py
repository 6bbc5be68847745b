"""Sets up log lines: destination, format and level.

Tested by tests/observe/test_fail2ban.py.
"""

from __future__ import annotations

import logging
import sys

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
"""``config/fail2ban/filter.d/labgate.conf`` reads it."""


def log_to_stderr(level: str) -> None:
    """Write labgate's lines from ``level`` on, and other libraries' warnings.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("labgate").setLevel(level.upper())

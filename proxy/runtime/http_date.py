"""The current time for the field Date.

Tested by tests/web/test_forwarding.py.
"""

from __future__ import annotations

from email.utils import formatdate
from time import time

_date = (0, b"")


def http_date() -> bytes:
    """The current time (RFC 9110 section 5.6.7); formatted once a second."""
    global _date  # noqa: PLW0603  one value for the process, replaced whole
    now = int(time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True).encode("ascii"))
    return _date[1]

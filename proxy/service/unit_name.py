"""The systemd unit that this process is the main process of."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_SERVICE = re.compile(r"/([^/\n]+\.service)$", re.MULTILINE)


def unit_name(environment: Mapping[str, str] = os.environ) -> str:
    """The unit, as ``labgate.service``; empty if no service manager started this process.

    A program that is started in a session belongs to a unit, too, but has no readiness socket.
    """
    if not environment.get("NOTIFY_SOCKET"):
        return ""
    try:
        return unit_of(Path("/proc/self/cgroup").read_text("utf-8"))
    except OSError:
        return ""


def unit_of(cgroups: str) -> str:
    """The innermost service in the content of ``/proc/PID/cgroup`` (cgroups(7)); empty if none."""
    found = _SERVICE.search(cgroups)
    return found[1] if found else ""

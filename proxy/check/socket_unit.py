"""The ports that systemd holds for labgate, which it starts when somebody connects to one."""

from __future__ import annotations

import re
from contextlib import suppress

from proxy.errors import StartError
from proxy.service.systemctl import systemctl

UNIT = "labgate.socket"
_LISTENS = re.compile(r"^Listen=.*:(\d+) \(Stream\)$", re.MULTILINE)


def ports_held() -> frozenset[int]:
    """The ports of ``labgate.socket``; empty if it is not active, or there is no systemd."""
    with suppress(StartError):
        return ports_shown(systemctl("show", "--property=ActiveState,Listen", UNIT))
    return frozenset()


def ports_shown(shown: str) -> frozenset[int]:
    """The ports of an active socket unit in the output of ``systemctl show``."""
    if "ActiveState=active" not in shown.splitlines():
        return frozenset()
    return frozenset(int(port) for port in _LISTENS.findall(shown))

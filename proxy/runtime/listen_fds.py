"""Sockets that the service manager opened and passes to this process: ``sd_listen_fds(3)``.

The protocol is documented to be implemented anew: the sockets are the descriptors from 3 on,
LISTEN_FDS is their number, LISTEN_FDNAMES has their names, and LISTEN_PID says whom they are for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def passed_sockets(
    environment: MutableMapping[str, str] = os.environ,
) -> list[tuple[str, socket.socket]]:
    """The passed sockets with their names; only the first call gets them.

    They are not passed on to programs that this process starts, and neither are the variables.
    """
    values = [environment.pop(name, "") for name in _VARIABLES]
    pid, number, names = values
    if pid != str(os.getpid()) or not number.isdecimal():
        return []
    named = names.split(":") if names else []
    passed = []
    for index in range(int(number)):
        descriptor = FIRST_DESCRIPTOR + index
        os.set_inheritable(descriptor, False)
        with suppress(OSError):  # a FIFO or a file may be passed, too
            name = named[index] if index < len(named) else ""
            passed.append((name, socket.socket(fileno=descriptor)))
    return passed

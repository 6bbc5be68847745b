"""Sends labgate's state to the service manager: the protocol of ``sd_notify(3)``.

A state is one datagram to the socket that NOTIFY_SOCKET names. Without a service manager nothing
is sent. ``libsystemd`` is not needed: the protocol is documented to be implemented anew.
"""

from __future__ import annotations

import os
import socket
import time


def sd_notify(*assignments: str) -> bool:
    """Send one state; returns whether the service manager's socket has taken it.

    Several assignments in one call arrive together: ``sd_notify("READY=1", "STATUS=…")``.

    Args:
        assignments: As ``READY=1``, ``STOPPING=1``, ``STATUS=…``, ``MAINPID=…`` or ``WATCHDOG=1``.
            A newline would begin another assignment, so it is sent as a space.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return False
    # A leading @ stands for the NUL of Linux' abstract sockets.
    address = "\0" + path[1:] if path.startswith("@") else path
    state = "\n".join(assignment.replace("\n", " ") for assignment in assignments)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        # A service manager that does not read must not stop labgate.
        channel.setblocking(False)
        try:
            channel.connect(address)
            channel.sendall(state.encode("utf-8", "replace"))
        except OSError:
            # The service must survive the failure of its manager.
            return False
    return True


def reloading() -> bool:
    """Send that a reload begins; READY=1 ends it, whether it succeeds or not.

    ``Type=notify-reload`` (systemd 253) ignores a READY=1 that is older than the request for the
    reload, so the time of CLOCK_MONOTONIC is sent along.
    """
    now_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    return sd_notify("RELOADING=1", f"MONOTONIC_USEC={now_usec}")

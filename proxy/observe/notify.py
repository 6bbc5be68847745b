"""systemd's readiness protocol: one datagram for each state (``sd_notify(3)``).

Tested by tests/e2e/test_sidecar.py.
"""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send ``READY=1``, ``STOPPING=1`` or ``STATUS=…`` to the service manager, if there is one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    # A leading @ stands for the NUL of Linux' abstract sockets.
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect(address)
            channel.sendall(state.encode("utf-8"))
        except OSError:
            # The service must survive the failure of its manager.
            return

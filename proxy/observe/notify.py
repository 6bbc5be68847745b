"""systemd's readiness protocol: one datagram a state (``sd_notify(3)``)."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Tell the service manager, when there is one: ``READY=1``, ``STOPPING=1``, ``STATUS=…``."""
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
            # A manager that went away must not take the service with it.
            return

"""The port on the loopback interface that Jupyter listens on.

Tested by tests/jupyter/test_process.py and tests/jupyter/test_container.py.
"""

from __future__ import annotations

import errno
import os
import socket

from proxy.errors import StartError

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8888


def default_or_free_port() -> int:
    """8888 if it is free, otherwise a free port that the kernel chooses."""
    return DEFAULT_PORT if not _problem(DEFAULT_PORT) else free_port()


def free_port() -> int:
    """A free port that the kernel chooses; another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int) -> None:
    """Refuse a port that another process listens on.

    Check before Jupyter starts: it would fail by itself, but until then the other server's
    responses look like Jupyter's.

    Raises:
        StartError: The port is in use; with what to do.
    """
    if problem := _problem(port):
        raise StartError(
            f"Jupyter's port {port} on {LOOPBACK} is not available: {problem}. "
            "Free it, or choose another with jupyter.port (0 picks a free one)."
        )


def _problem(port: int) -> str:
    with socket.socket() as probe:
        # As Jupyter does: connections in TIME_WAIT do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "somebody else listens there"
            return os.strerror(error.errno or 0)
    return ""

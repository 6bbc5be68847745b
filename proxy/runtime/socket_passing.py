"""Messages with open sockets, over a Unix socket: one line of JSON each (unix(7), SCM_RIGHTS)."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

MAX_MESSAGE_BYTES = 64 * 1024
MAX_SOCKETS = 253
"""That the kernel passes in a message (SCM_MAX_FD)."""


def unnamed_file(content: bytes) -> int:
    """The descriptor of a file without a name, for what is too long for a message.

    Raises:
        OSError: It cannot be written.
    """
    if sys.platform == "linux":  # never on a disk
        descriptor = os.memfd_create("handover")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def content_of(descriptor: int) -> bytes:
    """The content of such a file, which is closed.

    Raises:
        OSError: It cannot be read.
    """
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def send(channel: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send a message; the descriptors stay open here, too.

    Raises:
        OSError: The other process has gone, or does not read; or there are too many descriptors.
    """
    if len(descriptors) > MAX_SOCKETS:
        raise OSError(f"a message cannot have more than {MAX_SOCKETS} sockets")
    line = json.dumps(message).encode("ascii") + b"\n"
    if descriptors:
        # With the first octet alone: what is sent in one call may arrive in parts.
        socket.send_fds(channel, [line[:1]], list(descriptors))
        line = line[1:]
    channel.sendall(line)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors, which no program inherits.

    Raises:
        OSError: The other process has gone, or took too long; or this one has no room for the
            descriptors.
        ValueError: That is no message.
    """
    line, descriptors = bytearray(), list[int]()
    while not line.endswith(b"\n"):
        data, passed, flags, _ = socket.recv_fds(channel, 1, MAX_SOCKETS)
        descriptors += passed
        if flags & socket.MSG_CTRUNC:
            raise OSError("it passes more sockets than this process may open")
        if not data or len(line) > MAX_MESSAGE_BYTES:
            raise ConnectionError("it ended before its message did")
        line += data
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("it sent no message")
    return message, descriptors

"""Sockets of a service manager, as a process finds them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

from proxy.runtime.listen_fds import passed_sockets

CODE = """\
import json, os
from proxy.runtime.listen_fds import passed_sockets
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ.pop("OTHER")))
found = [
    (name, one.getsockname()[1], os.get_inheritable(one.fileno()))
    for name, one in passed_sockets()
]
again = passed_sockets()
left = [name for name in os.environ if name.startswith("LISTEN_")]
print(json.dumps([found, again, left]))
"""


def found(number: str, names: str, other: int = 0) -> tuple[Any, int]:
    """What a process finds that gets one socket and a file, and the port of the socket."""
    with socket.create_server(("127.0.0.1", 0)) as one, open(os.devnull) as nothing:
        move = 'exec 3<&"$1" 4<&"$2"; shift 2; exec "$@"'
        high = [os.dup2(one.fileno(), 40), os.dup2(nothing.fileno(), 41)]
        ran = subprocess.run(
            ["bash", "-c", move, "bash", *map(str, high), sys.executable, "-c", CODE],
            env={**os.environ, "LISTEN_FDS": number, "LISTEN_FDNAMES": names, "OTHER": str(other)},
            pass_fds=high,
            capture_output=True,
            check=True,
        )
        for descriptor in high:
            os.close(descriptor)
        return json.loads(ran.stdout), one.getsockname()[1]


def test_a_socket_has_its_name_and_is_passed_on_to_nobody() -> None:
    (sockets, again, left), port = found("2", "https:file")
    assert sockets == [["https", port, False]]
    assert again == []
    assert left == []


def test_without_names() -> None:
    (sockets, _, _), port = found("1", "")
    assert sockets == [["", port, False]]


def test_sockets_of_another_process() -> None:
    (sockets, _, left), _ = found("1", "https", other=1)
    assert sockets == []
    assert left == []


def test_no_service_manager() -> None:
    assert passed_sockets({}) == []

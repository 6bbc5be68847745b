"""What is said where there is no connection to Jupyter."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from proxy.jupyter.readiness import why_silent
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.owners import user_name
from tests.confined import confined
from tests.e2e.programs import free_port

ASK = """
import asyncio, sys
from proxy.jupyter.readiness import why_silent
from proxy.net.upstream_address import UpstreamAddress
print(asyncio.run(why_silent(UpstreamAddress("localhost", 80, sys.argv[1]), 10)))
"""
NOBODY_UID = 65534


def test_a_socket_of_somebody_else_names_its_owner_and_mode(sockets: Path) -> None:
    path = sockets / "jupyter.sock"
    is_root = os.geteuid() == 0
    with socket.socket(socket.AF_UNIX) as jupyter:
        jupyter.bind(str(path))
        jupyter.listen()
        sockets.chmod(0o755)
        if is_root:
            os.chown(path, NOBODY_UID, NOBODY_UID)
        path.chmod(0o600 if is_root else 0o000)
        said = confined(ASK, str(path))
    owner, mode = (NOBODY_UID, "0600") if is_root else (os.geteuid(), "0000")
    assert said.startswith(f"permission denied: labgate runs as {user_name(os.geteuid())}")
    assert ("CAP_DAC_OVERRIDE" in said) is is_root
    assert f"the socket belongs to {user_name(owner)} and has mode {mode}; " in said
    assert "--ServerApp.sock_mode=0660" in said
    assert said.endswith("or on a TCP port")


def test_a_socket_in_a_folder_that_is_closed(sockets: Path) -> None:
    folder = sockets / "closed"
    folder.mkdir()
    folder.chmod(0)
    assert "the socket is in a folder that is closed to it" in confined(
        ASK, str(folder / "jupyter.sock")
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_where_nobody_listens(host: str) -> None:
    """``localhost`` may have two addresses, each with an error of its own."""
    assert await why_silent(UpstreamAddress(host, free_port()), 10) == os.strerror(
        errno.ECONNREFUSED
    )


async def test_a_socket_that_is_not_there(sockets: Path) -> None:
    nowhere = UpstreamAddress("localhost", 80, str(sockets / "none.sock"))
    assert await why_silent(nowhere, 10) == "No such file or directory"


async def test_a_name_that_is_not_known() -> None:
    assert "known" in await why_silent(UpstreamAddress("jupyter.invalid", 80), 30)

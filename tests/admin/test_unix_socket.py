"""A socket that only its owner can use."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from proxy.admin.unix_socket import bind_private, peer_uid
from proxy.errors import StartError


def test_only_the_owner_may_use_it(sockets: Path) -> None:
    path = sockets / "private" / "admin.sock"
    with bind_private(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_one_that_a_dead_process_left_behind_is_replaced(sockets: Path) -> None:
    path = sockets / "admin.sock"
    bind_private(path).close()
    assert path.is_socket()
    with bind_private(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_living_one_is_not_taken_away(sockets: Path) -> None:
    path = sockets / "admin.sock"
    with bind_private(path):
        with pytest.raises(StartError, match="Another labgate listens"):
            bind_private(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_folder_that_others_can_write(sockets: Path) -> None:
    sockets.chmod(0o777)
    with pytest.raises(StartError, match=f"chmod go-w {sockets}"):
        bind_private(sockets / "admin.sock")


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux'")
def test_the_user_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()


def test_a_path_that_is_too_long(sockets: Path) -> None:
    """Python's error for it has no errno and no strerror."""
    with pytest.raises(StartError, match=r"socket: AF_UNIX path too long\.$"):
        bind_private(sockets / ("x" * 120) / "socket")

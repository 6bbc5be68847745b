"""The Chromium of the tests gets no netlink socket, and every other one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.programs import ROOT

PROGRAM = """
import errno, platform, socket
from tests.e2e.steady_chromium import SOCKET_CALL, refuse_netlink
refuse_netlink(SOCKET_CALL[platform.machine()])
socket.create_server(("127.0.0.1", 0)).close()
socket.socketpair()[0].close()
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
except OSError as error:
    assert error.errno == errno.EAFNOSUPPORT
else:
    raise SystemExit("it got one")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_no_netlink() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")

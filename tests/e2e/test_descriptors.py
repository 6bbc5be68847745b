"""Fewer descriptors than ``limits.connections`` takes: the surplus gets an answer."""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.programs import Labgate, until

DESCRIPTORS = 1024
FIT = 312
"""As many connections as go into ``DESCRIPTORS``, by two each and what labgate keeps."""


class Poor(Labgate):
    """labgate where it may open no more than so many descriptors."""

    descriptors = DESCRIPTORS

    def command(self) -> list[str]:
        return ["prlimit", f"--nofile={self.descriptors}:{self.descriptors}", *super().command()]


def poor(folder: Path, *, connections: str = "", upstream_port: int = 9) -> Poor:
    require(shutil.which("prlimit"), "no prlimit", "apt-get install util-linux")
    given = {"LABGATE_LIMITS__CONNECTIONS": connections} if connections else {}
    site = ("--no-tls", "--bind", "127.0.0.1", "--upstream", f"http://127.0.0.1:{upstream_port}")
    return Poor(folder, "serve", *site, environment=given, tls=False)


def taken_in(opened: ExitStack, port: int, source: str, count: int) -> int:
    """How many of so many connections are; all of them stay open."""
    inside = 0
    for _ in range(count):
        # Who is turned away hears it at once, or with whatever it does next.
        with suppress(ConnectionError):
            client = opened.enter_context(
                socket.create_connection(
                    ("127.0.0.1", port), timeout=20, source_address=(source, 0)
                )
            )
            client.sendall(b"GET /.labgate/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            inside += client.recv(1024).startswith(b"HTTP/1.1 200 ")
    return inside


def test_too_many_are_turned_away(tmp_path: Path) -> None:
    with poor(tmp_path) as labgate, ExitStack() as opened:
        assert "descriptors" not in labgate.log, "nobody asked for more"
        port = labgate.http_port
        assert taken_in(opened, port, "127.0.0.2", FIT) == FIT // 2, "half is for the others"
        assert taken_in(opened, port, "127.0.0.3", FIT) == FIT // 2
        assert taken_in(opened, port, "127.0.0.4", 44) == 0
        assert "(limits.connections_per_address): 127.0.0.2 is turned away" in labgate.log
        opened.close()
        until(lambda: labgate.ask("GET", "/.labgate/health").status == 200, "no longer there")
        assert "Too many open files" not in labgate.log


@pytest.mark.parametrize(("connections", "warned"), [("2000", True), ("200", False)])
def test_a_limit_above_the_descriptors_is_a_warning(
    tmp_path: Path, connections: str, warned: bool
) -> None:
    with poor(tmp_path, connections=connections) as labgate:
        said = f"limits.connections is {connections}, and there are descriptors for {FIT}"
        assert (said in labgate.log) == warned


def test_labgates_own_paths_leave_descriptors_for_others(tmp_path: Path) -> None:
    """Each such request takes three, and waits for a Jupyter that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as opened:
        labgate = poor(tmp_path, upstream_port=silent.getsockname()[1])
        labgate.descriptors, fit = 1400, 500
        opened.enter_context(labgate)
        clients = [
            opened.enter_context(
                socket.create_connection(
                    ("127.0.0.1", labgate.http_port), 60, source_address=(source, 0)
                )
            )
            for source in ("127.0.0.2", "127.0.0.3")
            for _ in range(fit // 2)
        ]
        for client in clients:
            client.sendall(b"GET /.labgate/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        statuses = Counter(client.recv(1024)[:13] for client in clients)
        assert statuses == {b"HTTP/1.1 503 ": fit}
        assert "Too many open files" not in labgate.log

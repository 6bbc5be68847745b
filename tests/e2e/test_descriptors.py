"""Fewer descriptors than ``limits.connections`` takes: who comes too many is told, not left."""

from __future__ import annotations

import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.programs import Labgate, until

DESCRIPTORS = 1024
FIT = 256
"""As many connections as go into ``DESCRIPTORS``, by two each and what labgate keeps."""


class Poor(Labgate):
    """labgate where it may open no more than ``DESCRIPTORS``."""

    def command(self) -> list[str]:
        return ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *super().command()]


def poor(folder: Path, *arguments: str, connections: str = "") -> Poor:
    require(shutil.which("prlimit"), "no prlimit", "apt-get install util-linux")
    given = {"LABGATE_LIMITS__CONNECTIONS": connections} if connections else {}
    site = ("--no-tls", "--bind", "127.0.0.1", "--upstream", "http://127.0.0.1:9")
    return Poor(folder, "serve", *site, *arguments, environment=given, tls=False)


def test_too_many_are_turned_away(tmp_path: Path) -> None:
    with poor(tmp_path) as labgate, ExitStack() as opened:
        assert "descriptors" not in labgate.told, "nobody asked for more"
        away = 0
        for _ in range(FIT + 44):
            address = ("127.0.0.1", labgate.http_port)
            try:
                # The reset may even come before the connection is reported as made.
                client = opened.enter_context(socket.create_connection(address, timeout=20))
                client.sendall(b"GET /.labgate/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                away += not client.recv(1024).startswith(b"HTTP/1.1 200 ")
            except ConnectionResetError:
                away += 1
        assert away == 44
        opened.close()
        until(lambda: labgate.ask("GET", "/.labgate/health").status == 200, "no longer there")
        assert "Too many open files" not in labgate.told


@pytest.mark.parametrize(("connections", "warned"), [("2000", True), ("200", False)])
def test_a_number_that_was_asked_for_and_cannot_be_is_said(
    tmp_path: Path, connections: str, warned: bool
) -> None:
    with poor(tmp_path, connections=connections) as labgate:
        said = f"limits.connections is {connections}, and there are descriptors for {FIT}"
        assert (said in labgate.told) == warned

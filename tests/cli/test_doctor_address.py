"""``labgate doctor`` without an address examines the labgate that runs here."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.replay import Replay
from proxy.admin.server import AdminServer
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private
from proxy.cli.doctor_address import DEFAULT_URL, FoundAddress, find_address
from proxy.inspector.inspector import Inspector
from proxy.inspector.ring import Ring
from tests.admin.conftest import no_rules, to

SITE = "https://lab.example.org"


@pytest.fixture
def about() -> dict[str, Any]:
    return {"site": SITE, "own_token": False}


@pytest.fixture
async def running(sockets: Path, about: dict[str, Any]) -> AsyncIterator[AdminServer]:
    inspector = Inspector(Ring(), lambda recorder: None)
    replay = Replay(inspector, no_rules, to(lambda: None), lambda: "")
    server = AdminServer(inspector, replay, lambda: about, dict, ("127.0.0.1", 0))
    await server.serve_socket(bind_private(socket_path(sockets)))
    yield server
    await server.stop()


async def test_the_labgate_that_runs(running: AdminServer, sockets: Path) -> None:
    found = await find_address(sockets)
    said = f"No address was given; the labgate that runs here serves {SITE}."
    assert found == FoundAddress(SITE, said, runs=True)


async def test_with_its_ca_and_the_token_of_its_jupyter(
    running: AdminServer, sockets: Path, about: dict[str, Any]
) -> None:
    about["own_token"] = True
    (sockets / "ca.pem").touch()
    found = await find_address(sockets)
    assert (found.authority, found.token_file) == (sockets / "ca.pem", sockets / "token")
    assert f"token is in {sockets / 'token'}" in found.said


async def test_none_runs(sockets: Path) -> None:
    found = await find_address(sockets)
    assert (found.url, found.token_file, found.runs) == (DEFAULT_URL, None, False)
    assert f"no labgate with the state folder {sockets} runs, so it is {DEFAULT_URL}" in found.said


async def test_one_that_was_killed_left_its_socket(sockets: Path) -> None:
    socket_path(sockets).parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(sockets)))
    assert (await find_address(sockets)).url == DEFAULT_URL

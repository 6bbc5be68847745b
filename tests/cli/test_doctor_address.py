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
from proxy.cli.doctor_address import DEFAULT_URL, FoundAddress, facts_of_running, find_address
from proxy.doctor.target import read_target
from proxy.errors import UsageError
from proxy.inspector.inspector import Inspector
from proxy.inspector.ring import Ring
from tests.admin.conftest import no_facts, no_rules, to
from tests.e2e.programs import Labgate, free_port

SITE = "https://lab.example.org"


@pytest.fixture
def about() -> dict[str, Any]:
    return {"site": SITE, "own_token": False}


@pytest.fixture
async def running(sockets: Path, about: dict[str, Any]) -> AsyncIterator[AdminServer]:
    inspector = Inspector(Ring(), lambda recorder: None)
    replay = Replay(inspector, no_rules, to(lambda: None), lambda: "")
    server = AdminServer(inspector, replay, lambda: about, no_facts, ("127.0.0.1", 0))
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


FACTS = [
    ({}, {}),
    ({"upstream": "no Jupyter yet"}, {}),
    ({"upstream": "unix:/run/jupyter.sock"}, {}),
    ({"upstream": "http://127.0.0.1:39211/base"}, {"upstream": "127.0.0.1:39211"}),
    (
        {"upstream": "http://127.0.0.1:39211", "launched": True},
        {"upstream": "127.0.0.1:39211", "launched": "yes"},
    ),
    ({"upstream": "http://127.0.0.1:39211", "routes": [f"{SITE}/ada/"]}, {}),
]


@pytest.mark.parametrize(("said", "facts"), FACTS)
async def test_what_it_knows_of_its_jupyter(
    running: AdminServer,
    sockets: Path,
    about: dict[str, Any],
    said: dict[str, Any],
    facts: dict[str, str],
) -> None:
    about |= said
    assert (await find_address(sockets)).facts == facts
    assert await facts_of_running(sockets, read_target(f"{SITE}/lab?token=x")[0]) == facts
    assert await facts_of_running(sockets, read_target("https://other.example.org")[0]) == {}


async def test_nothing_is_known_where_none_runs(sockets: Path) -> None:
    assert await facts_of_running(sockets, read_target(SITE)[0]) == {}


@pytest.mark.deployment
def test_a_jupyter_that_is_away_is_named_by_its_own_port(tmp_path: Path) -> None:
    """And not by the one that most have; with an address, too."""
    with Labgate(tmp_path, "serve", "--upstream", f"http://127.0.0.1:{free_port()}") as labgate:
        upstream = labgate._arguments[2]
        for words in ([], [labgate.origin, "--ca", str(labgate.authority)]):
            ended = labgate.ask_by_command("doctor", "--mend-for", "labgate", *words)
            assert ended.returncode == 1, ended.stderr
            assert f'url = "{upstream}/"' in ended.stdout, ended.stdout


async def test_one_of_several_routes_has_to_be_named(
    running: AdminServer, sockets: Path, about: dict[str, Any]
) -> None:
    about["routes"] = [f"{SITE}/ada/", f"{SITE}/bob/"]
    with pytest.raises(UsageError) as refused:
        await find_address(sockets)
    assert str(refused.value) == (
        f"This labgate has several Jupyters; name one: labgate doctor {SITE}/ada/ "
        f"(the others: {SITE}/bob/)."
    )
    assert refused.value.exit_code == 2


async def test_the_only_route_is_examined(
    running: AdminServer, sockets: Path, about: dict[str, Any]
) -> None:
    about["routes"] = [f"{SITE}/ada/"]
    found = await find_address(sockets)
    assert found.url == f"{SITE}/ada/"
    assert f"serves {SITE}/ada/." in found.said


def test_a_labgate_with_routes_alone_tells_them(tmp_path: Path, sockets: Path) -> None:
    file = tmp_path / "labgate.toml"
    route = '[[routes]]\npath = "/{0}"\nupstream = "http://127.0.0.1:9/{0}"\n'
    file.write_text(route.format("ada") + route.format("bob"))
    with Labgate(sockets, "serve", "--config", str(file)) as labgate:
        ended = labgate.ask_by_command("doctor", "--config", str(file))
    assert ended.returncode == 2, ended.stderr
    assert f"name one: labgate doctor {labgate.origin}/ada/ " in ended.stderr
    assert f"{labgate.origin}/bob/" in ended.stderr


async def test_none_runs(sockets: Path) -> None:
    found = await find_address(sockets)
    assert (found.url, found.token_file, found.runs) == (DEFAULT_URL, None, False)
    assert f"no labgate with the state folder {sockets} runs, so it is {DEFAULT_URL}" in found.said


async def test_one_that_was_killed_left_its_socket(sockets: Path) -> None:
    socket_path(sockets).parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(sockets)))
    assert (await find_address(sockets)).url == DEFAULT_URL

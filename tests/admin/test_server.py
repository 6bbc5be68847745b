"""The admin listeners, and the commands' client (``proxy.admin.client``) on the other side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from proxy.admin.client import AdminClient
from proxy.admin.protection import BASE, CSRF_FIELD
from proxy.admin.replay import Replay
from proxy.admin.server import AdminServer
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private
from proxy.errors import StartError
from proxy.inspector.inspector import Inspector
from tests.inspector.exchanges import exchange

from .conftest import no_facts

NOBODY = 65534


@pytest.fixture
async def server(inspector: Inspector, replay: Replay, sockets: Path) -> AsyncIterator[AdminServer]:
    running = AdminServer(inspector, replay, lambda: {"pid": 7}, no_facts, ("127.0.0.1", 0))
    await running.serve_socket(bind_private(socket_path(sockets)))
    yield running
    await running.stop()
    assert not socket_path(sockets).exists()


async def test_commands_need_no_token(
    server: AdminServer, inspector: Inspector, sockets: Path
) -> None:
    inspector.ring.add(exchange())
    async with AdminClient.connect(sockets) as client:
        assert (await client.get("state"))["about"] == {"pid": 7}
        assert [one["number"] for one in (await client.get("exchanges"))["exchanges"]] == [1]
        assert (await client.post("state", {"on": False}))["on"] is False


async def test_what_is_refused_has_a_sentence(
    server: AdminServer, inspector: Inspector, sockets: Path
) -> None:
    async with AdminClient.connect(sockets) as client:
        with pytest.raises(StartError, match="there is no key 'x'"):
            await client.get("exchanges", filter="x:1")
        missing = "The inspector does not hold exchange 9; it holds"
        with pytest.raises(StartError, match=f"{missing} none"):
            await client.get("exchanges/9")
        for _ in range(2):
            inspector.ring.add(exchange())
        with pytest.raises(StartError, match=f"{missing} 1 to 2"):
            await client.get("exchanges/9")


async def test_a_labgate_that_does_not_answer(sockets: Path) -> None:
    """As one whose event loop does not turn, or whose process was stopped (SIGSTOP)."""
    with bind_private(socket_path(sockets)):
        async with AdminClient.connect(sockets) as client:
            words = rf"Process {os.getpid()} .* does not answer within 0.1 s.*kill {os.getpid()}"
            with pytest.raises(StartError, match=words):
                await client.get("status", seconds=0.1)
            with pytest.raises(StartError, match=words):
                await client.post("stop", seconds=0.1)


async def test_live_where_nobody_listens_any_more(server: AdminServer, sockets: Path) -> None:
    async with AdminClient.connect(sockets) as client:
        await server.stop()
        with pytest.raises(StartError, match="was killed"):
            await anext(client.live())


async def test_live(server: AdminServer, inspector: Inspector, sockets: Path) -> None:
    async def add() -> None:
        """As long as nobody listens, nothing is told."""
        while True:
            inspector.ring.add(exchange())
            await asyncio.sleep(0.01)

    async with AdminClient.connect(sockets) as client:
        adding = asyncio.ensure_future(add())
        async for message in client.live():
            if batch := message["exchanges"]:
                assert batch[0]["method"] == "GET"
                break
        adding.cancel()


async def test_two_who_ask_at_once_get_one_page(
    inspector: Inspector, replay: Replay, sockets: Path
) -> None:
    running = AdminServer(inspector, replay, dict, no_facts, ("127.0.0.1", 0))
    first, second = await asyncio.gather(running.open_page(), running.open_page())
    assert first == second
    await running.stop()


async def test_the_page_is_opened_when_somebody_asks(server: AdminServer, sockets: Path) -> None:
    async with AdminClient.connect(sockets) as client:
        address = (await client.post("page"))["address"]
        assert (await client.post("page"))["address"] == address
    assert urlsplit(address).hostname == "127.0.0.1"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(address.partition("?")[0]) as response:
            assert response.status == 401
        async with browser.get(address) as response:
            assert response.status == 200


async def test_no_labgate_runs(sockets: Path) -> None:
    with pytest.raises(StartError, match="No labgate with the state folder"):
        async with AdminClient.connect(sockets):
            pass


@pytest.mark.parametrize("name", ["state", "state" * 20])
async def test_a_state_folder_that_this_user_may_not_look_at(tmp_path: Path, name: str) -> None:
    """A long path's socket is elsewhere, and named after the folder's owner."""
    barred = tmp_path / "barred"
    barred.mkdir(mode=0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(StartError, match="may not be used by this user"):
            async with AdminClient.connect(barred / name / "state"):
                pass
    finally:
        os.seteuid(user)


async def test_a_state_folder_that_a_group_can_write(
    inspector: Inspector, replay: Replay, sockets: Path
) -> None:
    """As in a container of OpenShift; the folder of the socket is private all the same."""
    sockets.chmod(0o770)
    server = AdminServer(inspector, replay, lambda: {"pid": 7}, no_facts, ("127.0.0.1", 0))
    await server.serve_socket(bind_private(socket_path(sockets)))
    try:
        async with AdminClient.connect(sockets) as client:
            assert (await client.get("state"))["about"] == {"pid": 7}
    finally:
        await server.stop()


@pytest.mark.skipif(
    os.getuid() != 0, reason="only root can give a folder to somebody else: run it as root"
)
async def test_a_socket_in_a_folder_of_another_user(server: AdminServer, sockets: Path) -> None:
    stranger = 54321
    os.chown(socket_path(sockets).parent, stranger, -1)
    with pytest.raises(StartError, match=f"the socket of another user .uid {stranger}"):
        async with AdminClient.connect(sockets):
            pass


async def test_a_dead_labgates_socket_is_named(sockets: Path) -> None:
    bind_private(socket_path(sockets)).close()  # as SIGKILL leaves it
    async with AdminClient.connect(sockets) as client:
        with pytest.raises(StartError, match=r"the one that made .* was killed"):
            await client.get("state")


async def test_a_socket_of_its_own_for_each_labgate(server: AdminServer, sockets: Path) -> None:
    with pytest.raises(StartError, match="Another labgate listens"):
        bind_private(socket_path(sockets))
    async with AdminClient.connect(sockets) as client:
        assert (await client.get("state"))["about"] == {"pid": 7}


async def test_only_the_socket_has_the_commands(
    inspector: Inspector, replay: Replay, sockets: Path
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"told": True})

    commands = [web.post(f"{BASE}api/stop", answer)]
    server = AdminServer(inspector, replay, dict, no_facts, ("127.0.0.1", 0), commands=commands)
    await server.serve_socket(bind_private(socket_path(sockets)))
    try:
        async with AdminClient.connect(sockets) as client:
            assert await client.post("stop") == {"told": True}
        address = await server.open_page()
        origin = address.partition(BASE)[0]
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(address) as response:
                assert response.status == 200
            async with browser.get(f"{origin}{BASE}api/state") as response:
                fields = {"Origin": origin, CSRF_FIELD: (await response.json())["csrf"]}
            async with browser.post(f"{origin}{BASE}api/stop", headers=fields) as response:
                assert response.status == 404
    finally:
        await server.stop()

"""The admin socket of a hub's proxy: what commands and the inspector's page ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from proxy.admin.client import AdminClient
from proxy.admin.protection import BASE
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private
from proxy.cli.arguments import parse_arguments
from proxy.cli.hub import hub_options
from proxy.cli.serve_hub import _admin
from proxy.errors import StartError
from proxy.hub.admin import NO_JUPYTER, HubInstance, make_hub_admin
from proxy.hub.hub_proxy import HubProxy
from proxy.service.handover import Handover
from proxy.service.lifetime import Lifetime
from tests.certificates import pair
from tests.e2e.programs import free_port
from tests.upstreams import OK, Upstream, Visit, says, upstream

SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Administered(NamedTuple):
    """A hub's proxy with its admin socket, and who asks there."""

    hub: HubProxy
    client: AdminClient
    address: str

    async def ask(self, target: str, **fields: str) -> int:
        async with (
            aiohttp.ClientSession(self.address) as session,
            session.get(target, headers=fields) as response,
        ):
            await response.read()
            return response.status

    async def exchanges(self, words: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get("exchanges", filter=words))[
            "exchanges"
        ]
        return found


@asynccontextmanager
async def administered(folder: Path, *flags: str) -> AsyncIterator[Administered]:
    ports = ["--ip=127.0.0.1", f"--port={free_port()}", f"--api-port={free_port()}", *flags]
    options = hub_options(parse_arguments(["hub", *ports]), {"CONFIGPROXY_AUTH_TOKEN": "t"})
    hub = HubProxy(options)
    forced = asyncio.Event()
    forced.set()
    try:
        await hub.start()
        server = make_hub_admin(HubInstance(options, folder, hub, Handover("hub")))
        await server.serve_socket(bind_private(socket_path(folder)))
        try:
            async with AdminClient.connect(folder) as client:
                yield Administered(hub, client, f"http://127.0.0.1:{options.public.port}")
        finally:
            await server.stop()
    finally:
        await hub.stop(forced)


@pytest.fixture
async def it(sockets: Path) -> AsyncIterator[Administered]:
    async with administered(sockets) as running:
        yield running


@pytest.fixture
async def ada() -> AsyncIterator[Upstream]:
    """The server of a user, who asks for one page after the other."""
    async with upstream(says(OK, OK, OK)) as running:
        yield running


async def test_the_inspector_is_switched_on_and_off(it: Administered, ada: Upstream) -> None:
    it.hub.table.add("/user/ada", {"target": str(ada.address)})
    await it.ask("/user/ada/before")
    assert (await it.client.get("state"))["on"] is False
    assert (await it.client.post("state", {"on": True}))["on"] is True
    assert await it.ask("/user/ada/api?token=s3cret") == 200
    assert await it.ask("/nowhere") == 404
    await it.client.post("state", {"on": False})
    await it.ask("/user/ada/after")
    found = await it.exchanges()
    assert [(one["target"], one["route"], one["status"]) for one in found] == [
        ("/user/ada/api?token=[redacted]", "/user/ada", 200),
        ("/nowhere", "", 404),
    ]
    assert [one["number"] for one in await it.exchanges("route:/user/ada")] == [1]
    assert [one["number"] for one in await it.exchanges("-route:/user/ada")] == [2]
    whole = await it.client.get("exchanges/1")
    assert whole["route"] == "/user/ada"
    assert whole["sent_up"]["line"] == "GET /user/ada/api?token=[redacted] HTTP/1.1"
    about = (await it.client.get("state"))["about"]
    assert (about["site"], about["upstream"]) == (it.address, "1 route of the Hub")


async def test_who_looks_switches_it_on_meanwhile(it: Administered, ada: Upstream) -> None:
    it.hub.table.add("/user/ada", {"target": str(ada.address)})
    live = it.client.live(capture="heads")
    assert (await anext(live))["state"]["on"] is True
    await it.ask("/user/ada/x")
    assert [one["route"] for one in (await anext(live))["exchanges"]] == ["/user/ada"]
    await live.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("successor", [0, 4711])
async def test_after_a_handover_nobody_can_look(
    it: Administered, sockets: Path, successor: int
) -> None:
    folder = sockets / "other"
    folder.mkdir()
    lifetime = Lifetime(handover=Handover("hub"))
    instance = HubInstance(it.hub._options, folder, it.hub, lifetime.handover)
    async with _admin(instance, folder, lifetime), AdminClient.connect(folder) as client:
        await client.post("state", {"on": True})
        assert await it.ask("/nowhere") == 404
        lifetime.handover.successor = successor
    assert (it.hub.inspector.options is None) is bool(successor)
    assert len(it.hub.inspector.ring) == (0 if successor else 1)


async def test_a_target_of_its_own_and_one_that_is_away(sockets: Path, ada: Upstream) -> None:
    async with administered(sockets, "--no-include-prefix") as it:
        it.hub.table.add("/user/ada", {"target": f"{ada.address}/below"})
        it.hub.table.add("/user/bob", {"target": f"http://127.0.0.1:{free_port()}"})
        await it.client.post("state", {"on": True})
        assert await it.ask("/user/ada/x") == 200
        assert await it.ask("/user/bob/x") == 503
        adas, bobs = await it.exchanges()
        assert (await it.client.get("exchanges/1"))["sent_up"]["line"] == "GET /below/x HTTP/1.1"
        assert (adas["route"], bobs["route"]) == ("/user/ada", "/user/bob")
        assert bobs["symptom"] == "upstream-down"
        whole = await it.client.get("exchanges/2")
        assert "Jupyter at the target of the route did not answer" in whole["explanation"]
        assert {"nginx", "labgate"} & {one["server"] for one in whole["mends"]} == {"nginx"}


async def test_websockets_that_were_open_before(it: Administered) -> None:
    async def echo(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCHED)
        await visit.reader.read()

    async with upstream(echo) as server:
        it.hub.table.add("/user/ada", {"target": str(server.address)})
        session = aiohttp.ClientSession(it.address)
        async with session, session.get("/user/ada/channels", headers=UPGRADE) as response:
            assert response.status == 101
            await it.client.post("state", {"on": True})
            [one] = await it.exchanges("is:ws")
            assert (one["target"], one["route"]) == ("/user/ada/channels", "/user/ada")


@pytest.mark.parametrize("through", ["rules", "upstream"])
async def test_a_request_is_sent_again_to_its_own_route(
    it: Administered, ada: Upstream, through: str
) -> None:
    it.hub.table.add("/user/ada", {"target": str(ada.address)})
    it.hub.table.add("/user/bob", {"target": "http://127.0.0.1:1"})
    await it.client.post("state", {"on": True})
    await it.ask("/user/ada/x")
    again = {"method": "GET", "target": "/user/ada/again", "fields": [], "through": through}
    number = (await it.client.post("exchanges/1/replay", again))["number"]
    one = await it.client.get(f"exchanges/{number}")
    assert (one["status"], one["route"]) == (200, "/user/ada")
    assert b"GET /user/ada/again HTTP/1.1\r\n" in ada.heads
    with pytest.raises(StartError, match=r"lead to the route /user/bob, but .* is of /user/ada"):
        await it.client.post("exchanges/1/replay", again | {"target": "/user/bob/x"})
    it.hub.table.remove("/user/ada")
    with pytest.raises(StartError, match="lead to no route"):
        await it.client.post("exchanges/1/replay", again)


@pytest.mark.parametrize("through", ["rules", "upstream"])
async def test_what_had_no_route_goes_to_one_that_somebody_agrees_to(
    it: Administered, ada: Upstream, through: str
) -> None:
    """What no route was for, what was refused, and what an archive had."""
    await it.client.post("state", {"on": True})
    assert await it.ask("/user/ada/x") == 404
    it.hub.table.add("/user/ada", {"target": str(ada.address)})
    again = {"method": "GET", "target": "/user/ada/x", "fields": [], "through": through}
    with pytest.raises(StartError, match=r"lead to the route /user/ada, but .* of no route"):
        await it.client.post("exchanges/1/replay", again | {"token": "typed"})
    assert not ada.heads
    agreed = again | {"route": "/user/ada"}
    number = (await it.client.post("exchanges/1/replay", agreed))["number"]
    assert (await it.client.get(f"exchanges/{number}"))["status"] == 200


async def test_a_reload_reads_the_certificates_at_once(sockets: Path) -> None:
    cert, key = pair(sockets / "public", "localhost")
    async with administered(sockets, "--ssl-cert", str(cert), "--ssl-key", str(key)) as it:
        [before] = (await it.client.get("status"))["certificates"]
        pair(sockets / "public", "localhost", days=20)
        assert (await it.client.post("reload"))["refused"] == ""
        [after] = (await it.client.get("status"))["certificates"]
        assert after["days_left"] < before["days_left"]


async def test_the_page_needs_its_token(it: Administered) -> None:
    address = (await it.client.post("page"))["address"]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(address.partition("?")[0]) as response:
            assert response.status == 401
        async with browser.get(address) as response:
            assert response.status == 200
            assert "inspector" in await response.text()
        async with browser.post(f"{address.partition(BASE)[0]}{BASE}api/stop") as response:
            assert response.status in (403, 404)


async def test_what_only_a_jupyter_has(it: Administered) -> None:
    for path in ("log", "nothing"):
        with pytest.raises(StartError, match=NO_JUPYTER):
            await it.client.get(path)
    with pytest.raises(StartError, match=NO_JUPYTER):
        await it.client.post("unlock", {"address": "192.0.2.1"})

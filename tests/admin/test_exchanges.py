"""The API behind the page; ``proxy.admin.app`` puts it together."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from proxy.admin.live import MAX_QUEUED_EXCHANGES, WaitingExchanges
from proxy.admin.protection import BASE
from proxy.inspector.har import to_har
from proxy.inspector.recorder import CaptureOptions, Recorder
from tests.inspector.exchanges import exchange

from .conftest import Page


async def test_the_list_and_its_filter(page: Page) -> None:
    for status in (200, 404, 403):
        page.inspector.ring.add(exchange(status=status))
    found = await page.get("exchanges")
    assert [one["number"] for one in found["exchanges"]] == [1, 2, 3]
    found = await page.get("exchanges?filter=status:4xx&after=2")
    assert [one["status"] for one in found["exchanges"]] == [403]
    for query in ("filter=colour:red", "after=x"):
        async with page.client.get(f"{BASE}api/exchanges?{query}") as response:
            assert response.status == 400
            assert (await response.json())["error"]


async def test_one(page: Page) -> None:
    page.inspector.ring.add(exchange("PUT", "/api/contents/A", 404))
    one = await page.get("exchanges/1")
    assert (one["method"], one["status"]) == ("PUT", 404)
    assert one["curl"].startswith("curl -i -X PUT")
    async with page.client.get(f"{BASE}api/exchanges/2") as response:
        assert response.status == 404


async def test_its_mends_with_what_is_known(page: Page) -> None:
    page.inspector.ring.add(exchange("POST", "/api/contents", 404, symptom="origin-refused"))
    one = await page.get("exchanges/1")
    assert one["check"].startswith("JupyterHandler.check_origin")
    assert {mend["server"] for mend in one["mends"]} >= {"nginx", "caddy", "labgate"}
    [lines] = [mend["lines"] for mend in one["mends"] if mend["server"] == "labgate"]
    assert 'domains = ["lab.example.org"]' in lines


async def test_the_mends_of_an_archives_exchange_are_for_its_own_site(page: Page) -> None:
    archive = to_har([exchange("POST", "/api/contents", 404, symptom="origin-refused")])
    request = archive["log"]["entries"][0]["request"]
    request["url"] = "https://other.example.net:8443/api/contents"
    request["headers"] = [{"name": ":authority", "value": "other.example.net:8443"}]
    await page.post("har", archive)
    one = await page.get("exchanges/1")
    lines = {mend["server"]: mend["lines"] for mend in one["mends"]}
    assert 'domains = ["other.example.net:8443"]' in lines["labgate"]
    assert "lab.example.org" not in str(lines)
    assert "--url https://other.example.net:8443/api/contents" in one["curl"]


async def test_on_and_off(page: Page, recorders: list[Recorder | None]) -> None:
    assert (await page.post("state", {"on": False}))["on"] is False
    assert recorders[-1] is None
    assert (await page.post("state", {"on": True, "content": True}))["content"] is True
    options = [recorder.options for recorder in recorders if recorder is not None]
    assert options[-1] == CaptureOptions(content=True)
    bodies: list[Any] = [{"on": "yes"}, [], None, "on"]
    for body in bodies:
        assert (await page.post("state", body, status=400))["error"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("on", "application/json"), ("[" * 100_000, "application/json"), ("{}", "a/b; charset=none")],
)
async def test_what_is_no_json(page: Page, body: str, content_type: str) -> None:
    page.inspector.ring.add(exchange())
    fields = page.own | {"Content-Type": content_type}
    for call in ("state", "exchanges/1/replay"):
        async with page.client.post(f"{BASE}api/{call}", data=body, headers=fields) as response:
            assert response.status == 400
            assert (await response.json())["error"] == "this is no JSON"


async def test_clear(page: Page) -> None:
    page.inspector.ring.add(exchange())
    assert (await page.post("clear", {}))["held"] == 0
    assert (await page.get("exchanges"))["exchanges"] == []


async def test_archives_out_and_in(page: Page) -> None:
    for status in (200, 404):
        page.inspector.ring.add(exchange(status=status))
    async with page.client.get(f"{BASE}api/har?filter=status:404") as response:
        assert "labgate.har" in response.headers["Content-Disposition"]
        archive = json.loads(await response.text())
    assert [entry["response"]["status"] for entry in archive["log"]["entries"]] == [404]
    assert await page.post("har", archive) == {"read": 1}
    assert len(page.inspector.ring) == 3


@pytest.mark.parametrize("body", ["[]", '{"log": {"entries": [1]}}', "no JSON", "[" * 100_000])
async def test_what_is_no_archive(page: Page, body: str) -> None:
    async with page.client.post(f"{BASE}api/har", data=body, headers=page.own) as response:
        assert response.status == 400
        assert (await response.json())["error"]


async def test_a_large_archive(page: Page) -> None:
    archive = json.dumps(to_har([exchange() for _ in range(3000)]))
    assert len(archive) > 2 * 1024 * 1024
    data = BytesIO(archive.encode())
    async with page.client.post(f"{BASE}api/har", data=data, headers=page.own) as response:
        assert await response.json() == {"read": 3000}


class NotedExecutor(ThreadPoolExecutor):
    """Notes which functions run outside the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if isinstance(function, partial):  # as asyncio.to_thread makes it
            self.noted.append(function.args[0].__name__)
        return super().submit(function, *arguments, **named)


async def test_archives_do_not_hold_up_the_event_loop(page: Page) -> None:
    executor = NotedExecutor()
    asyncio.get_running_loop().set_default_executor(executor)
    page.inspector.ring.add(exchange())
    archive = await page.get("har")
    await page.post("har", archive)
    assert executor.noted == ["_archive_of", "_exchanges_in"]


async def test_live(page: Page) -> None:
    path = f"{BASE}api/live?csrf={page.csrf}"
    async with page.client.ws_connect(path, headers={"Origin": page.origin}) as socket:
        begun = await socket.receive_json()
        assert (begun["exchanges"], begun["state"]["on"]) == ([], True)
        first = exchange(open=True)
        page.inspector.ring.add(first)
        [seen] = (await socket.receive_json())["exchanges"]
        assert (seen["number"], seen["open"]) == (1, True)
        first.open = False
        page.inspector.ring.update(first)
        page.inspector.ring.add(exchange())
        batch = (await socket.receive_json())["exchanges"]
        assert [(one["number"], one["open"]) for one in batch] == [(1, False), (2, False)]


async def test_live_tells_who_else_switches_and_captures_as_long_as_it_is_there(
    page: Page,
) -> None:
    page.inspector.switch(None)
    path = f"{BASE}api/live?csrf={page.csrf}&capture=content"
    async with page.client.ws_connect(path, headers={"Origin": page.origin}) as socket:
        assert (await socket.receive_json())["state"]["content"] is True
        await page.post("state", {"on": False})
        assert (await socket.receive_json())["state"]["on"] is False
        page.inspector.failed("A fault.")
        assert (await socket.receive_json())["state"]["fault"] == "A fault."
        await page.post("state", {"on": True})
        assert (await socket.receive_json())["state"]["fault"] == ""
    page.inspector.switch(None)
    async with page.client.ws_connect(
        path.replace("content", "heads"), headers={"Origin": page.origin}
    ) as socket:
        assert (await socket.receive_json())["state"]["on"] is True
        gone = asyncio.Event()
        page.inspector.listen(gone.set)
    async with asyncio.timeout(30):
        await gone.wait()
    assert page.inspector.options is None


async def test_nobody_is_told_of_a_capture_before_all_processes_have_begun_it(
    page: Page,
) -> None:
    begun = asyncio.Event()

    async def in_force() -> None:
        await begun.wait()

    page.inspector.in_force = in_force
    path = f"{BASE}api/live?csrf={page.csrf}&capture=heads"
    async with page.client.ws_connect(path, headers={"Origin": page.origin}) as socket:
        first = asyncio.ensure_future(socket.receive_json())
        switched = asyncio.ensure_future(page.post("state", {"on": True}))
        await page.get("state")
        assert not first.done()
        assert not switched.done()
        begun.set()
        assert (await first)["state"]["on"] is True
        assert (await switched)["on"] is True


async def test_of_too_many_for_a_page_that_does_not_read_the_latest_wait() -> None:
    waiting = WaitingExchanges()
    for number in range(1, MAX_QUEUED_EXCHANGES + 11):
        waiting.note(exchange(number=number))
        waiting.note(exchange(number=1))
    assert len(waiting) == MAX_QUEUED_EXCHANGES
    batch, _ = await waiting.take()
    assert [one["number"] for one in batch[:2]] == [1, 12]
    assert batch[-1]["number"] == MAX_QUEUED_EXCHANGES + 10
    assert len(waiting) == 0

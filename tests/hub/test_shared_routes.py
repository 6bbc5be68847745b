"""Who is told of a change, and when whoever made it gets the answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.hub import shared_routes
from proxy.hub.counts import HubCounts, Measured
from proxy.hub.journal import Journal
from proxy.hub.route_table import RouteTable
from proxy.hub.shared_routes import Follower, Following, RouteMessage, SharedRoutes
from proxy.net.upstream_tls import UpstreamTls
from proxy.observe.measurements import Counts, Now

TARGET = {"target": "http://h:1"}


def shared(measured: Measured | None = None) -> SharedRoutes:
    table = RouteTable(UpstreamTls())
    return SharedRoutes(table) if measured is None else SharedRoutes(table, lambda: measured)


class Pair:
    """Routes, and others that follow them; a message passes when the test lets it."""

    def __init__(self, measured: Measured | None = None) -> None:
        self.here, self.there = shared(), shared(measured)
        self.sent: list[RouteMessage] = []
        self.cut = False
        self.follower = Follower("the other", self.sent.append, self._cut_off)
        self.following = Following(
            self.there, lambda said: self.here.on_message(self.follower, said)
        )
        self.here.follow(self.follower)

    async def pass_on(self) -> None:
        while self.sent:
            await self.following.take(self.sent.pop(0))

    def _cut_off(self) -> None:
        self.cut = True
        self.here.forget(self.follower)


async def test_a_change_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Also where several come at once, which share a write."""
    table = RouteTable(UpstreamTls(), journal=Journal(tmp_path / "routes"))
    table.load()
    routes = SharedRoutes(table)

    def lines() -> list[bytes]:
        return (tmp_path / "routes").read_bytes().splitlines()

    async def is_kept(path: str) -> bool:
        await routes.add(path, TARGET)
        return any(f'"{path}"'.encode() in line for line in lines())

    assert all(await asyncio.gather(*(is_kept(f"/user/{number}") for number in range(5))))
    assert len(lines()) == 5
    await routes.remove("/user/3")
    assert lines()[-1] == b'{"path":"/user/3","removed":true}'
    table.leave_journal()


async def test_a_route_is_everywhere_before_it_is_acknowledged() -> None:
    pair = Pair()
    adding = asyncio.ensure_future(pair.here.add("/a", TARGET))
    await asyncio.sleep(0)
    assert not adding.done()
    await pair.pass_on()
    await adding
    assert pair.there.table.by_path["/a"].data == TARGET
    removing = asyncio.ensure_future(pair.here.remove("/a"))
    await asyncio.sleep(0)
    assert not removing.done()
    await pair.pass_on()
    assert await removing is not None
    assert pair.there.table.by_path == {}


async def test_changes_stay_in_their_order() -> None:
    pair = Pair()
    changes = [
        asyncio.ensure_future(pair.here.add("/a", {"target": f"http://h:{port}"}))
        for port in (1, 2, 3)
    ]
    await asyncio.sleep(0)
    await pair.pass_on()
    await asyncio.gather(*changes)
    assert pair.there.table.by_path["/a"].data == {"target": "http://h:3"}


async def test_a_follower_of_a_follower() -> None:
    """A predecessor with workers: they know the route before the Hub gets its answer."""
    pair, last = Pair(), shared()
    sent: list[RouteMessage] = []
    follower = Follower("the last", sent.append, lambda: None)
    pair.there.follow(follower)
    following = Following(last, lambda said: pair.there.on_message(follower, said))
    adding = asyncio.ensure_future(pair.here.add("/a", TARGET))
    await asyncio.sleep(0)
    passing = asyncio.ensure_future(pair.pass_on())
    await asyncio.sleep(0)
    assert not adding.done()
    await following.take(sent.pop())
    await passing
    await adding
    assert "/a" in last.table.by_path


async def test_a_target_that_is_none_is_told_nobody() -> None:
    pair = Pair()
    with pytest.raises(ValueError, match="scheme"):
        await pair.here.add("/a", {"target": "x"})
    assert await pair.here.remove("/nothing") is None
    assert pair.sent == []


async def test_the_newest_activity_of_all_counts() -> None:
    pair = Pair()
    for routes in (pair.here, pair.there):
        for name in ("a", "b"):
            routes.table.add(f"/{name}", TARGET).at = 5.0
    pair.there.table.new_activity()
    pair.there.table.by_path["/a"].at = 8.0
    pair.there.table.by_path["/b"].at = 2.0
    refreshing = asyncio.ensure_future(pair.here.refresh())
    await asyncio.sleep(0)
    await pair.pass_on()
    await refreshing
    assert {path: one.at for path, one in pair.here.table.by_path.items()} == {
        "/a": 8.0,
        "/b": 5.0,
    }


async def test_what_is_measured_is_summed_and_what_ended_is_kept() -> None:
    counts = HubCounts(3, 1, {"200": 2, "503": 1}, 4, 0.5)
    traffic, now = Counts({"forwarded 2xx": 2}, {"host": 1}, bytes_up=5), Now(7, 2, 1, 3)
    traffic.whole.add([0.1, 0.2])
    pair = Pair(Measured(counts, traffic, now))
    for _ in range(2):
        measuring = asyncio.ensure_future(pair.here.measured())
        await asyncio.sleep(0)
        await pair.pass_on()
        total = await measuring
        assert (total.counts, total.traffic, total.now) == (counts, traffic, now)
    pair.here.forget(pair.follower)
    total = await pair.here.measured()
    assert (total.counts, total.traffic, total.now) == (counts, traffic, Now())


async def test_a_predecessor_of_another_version_is_followed_all_the_same() -> None:
    pair = Pair()
    pair.here.table.add("/a", TARGET)
    older = {"counts": {"web": 1}, "now": {"tunnels": 1}}
    asking = pair.follower.ask({"measure": True})
    pair.here.on_message(pair.follower, {"activity": {"/a": 9e9}, "measured": older, "done": 1})
    assert asking.done()
    assert pair.here.table.by_path["/a"].at == 9e9
    assert pair.follower.measured == Measured()


async def test_who_does_not_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_routes, "WORKER_ANSWER_SECONDS", 0.01)
    pair = Pair()
    async with asyncio.timeout(10):
        await pair.here.add("/a", TARGET)
    assert pair.cut
    assert "its routes may be old ones" in caplog.text
    assert pair.here.followers == set()


async def test_nobody_waits_for_one_that_has_ended() -> None:
    pair = Pair()
    adding = asyncio.ensure_future(pair.here.add("/a", TARGET))
    await asyncio.sleep(0)
    pair.here.forget(pair.follower)
    async with asyncio.timeout(10):
        await adding

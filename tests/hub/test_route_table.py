"""The routes, and the connections of those in use."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from proxy.hub.hub_route import HubRoute
from proxy.hub.journal import Journal
from proxy.hub.route_table import RouteTable, clean_path, prefix_segments
from proxy.hub.targets import parse_target
from proxy.net.limits import DEFAULT_LIMITS, new_request_limit
from proxy.net.upstream_tls import UpstreamTls
from proxy.proxying.outage import Outage
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from tests.heads import SITE
from tests.upstreams import OK, says, upstream

TLS = UpstreamTls()
LIMIT = new_request_limit(DEFAULT_LIMITS)


def opened(route: HubRoute) -> Route:
    pool = Pool(parse_target(route.url, TLS).address)
    return Route(pool, SITE, LIMIT, outage=Outage("Jupyter"), activity=route)


def table(*, by_host: bool = False, journal: Journal | None = None) -> RouteTable:
    routes = RouteTable(TLS, by_host=by_host, journal=journal)
    routes.use(opened)
    return routes


def test_connections_are_made_at_the_first_request() -> None:
    routes = table()
    added = routes.add("/user/ada", {"target": "http://h:1"})
    assert added.used is None
    assert list(routes.pools) == []
    found = routes.find(b"/user/ada/x")
    assert found is not None
    assert routes.find(b"/user/ada") is found
    assert list(routes.pools) == [found.pool]
    assert routes.find(b"/other") is None


def test_idle_connections_are_dropped_and_made_again() -> None:
    routes = table()
    routes.add("/", {"target": "http://h:1"})
    first = routes.find(b"/")
    routes.forget_idle()
    assert routes.find(b"/") is first, "once may be right after its making"
    routes.forget_idle()
    assert list(routes.pools) == []
    assert routes.find(b"/") is not first


async def test_a_route_with_a_connection_is_kept() -> None:
    async with upstream(says(OK)) as server:
        routes = table()
        routes.add("/", {"target": str(server.address)})
        found = routes.find(b"/")
        assert found is not None
        connection = await found.pool.dial()
        for _ in range(3):
            routes.forget_idle()
        assert routes.find(b"/") is found
        routes.remove("/")
        assert connection.retired
        assert list(routes.pools) == [found.pool], "its timeouts still count"
        connection.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        routes.forget_idle()
        assert list(routes.pools) == []


def test_a_new_target_is_used_at_once_and_the_same_one_keeps_its_connections() -> None:
    routes = table()
    first = routes.add("/x", {"target": "http://h:1", "a": 1})
    used = routes.find(b"/x")
    again = routes.add("/x/", {"target": "http://h:1", "a": 2})
    assert again is first
    assert routes.find(b"/x") is used
    assert routes.by_path["/x"].data["a"] == 2
    routes.add("/x", {"target": "http://h:2"})
    moved = routes.find(b"/x")
    assert moved is not None
    assert moved is not used
    assert "h:2" in repr(moved.pool)


def test_a_target_that_is_none_changes_nothing() -> None:
    routes = table()
    routes.add("/x", {"target": "http://h:1"})
    with pytest.raises(ValueError, match="scheme"):
        routes.add("/x", {"target": "h"})
    assert routes.by_path["/x"].data == {"target": "http://h:1"}


def test_hosts_are_compared_without_their_case() -> None:
    routes = table(by_host=True)
    routes.add("/Ada.Example.ORG/user/Ada", {"target": "http://h:1"})
    assert list(routes.by_path) == ["/Ada.Example.ORG/user/Ada"]
    assert routes.find(b"/ada.example.org/user/Ada/x") is not None
    assert routes.find(b"/ada.example.org/user/ada/x") is None
    assert routes.remove("/Ada.Example.ORG/user/Ada") is not None
    assert routes.find(b"/ada.example.org/user/Ada/x") is None


async def test_routes_come_back_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    first = table(journal=Journal(path))
    assert first.load() == 0
    first.add("/a", {"target": "http://h:1", "user": "ada"}).at = 7.0
    first.add("/b", {"target": "http://h:2"})
    first.remove("/b")
    await first.save()
    first.leave_journal()
    second = table(journal=Journal(path))
    assert second.load() == 1
    assert second.by_path["/a"].data == {"target": "http://h:1", "user": "ada"}
    assert second.by_path["/a"].at == 7.0
    assert second.find(b"/a/x") is not None
    second.leave_journal()


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        *(("/", "/"), ("", "/"), ("//", "/")),
        *(("a", "/a"), ("/a/", "/a"), ("//a//", "/a"), ("/a/b", "/a/b")),
    ],
)
def test_keys_have_one_form(path: str, clean: str) -> None:
    assert clean_path(path) == clean


def test_a_key_with_more_slashes_is_the_same_route() -> None:
    routes = table()
    routes.add("/a", {"target": "http://h:1"})
    routes.add("//a//", {"target": "http://h:2"})
    assert list(routes.by_path) == ["/a"]
    assert routes.remove("/a/") is not None
    assert routes.find(b"/a") is None


@pytest.mark.parametrize(
    ("path", "by_host", "count"),
    [("/", False, 0), ("/a/b", False, 2), ("/host/a", True, 1), ("/", True, 0)],
)
def test_what_a_prefix_takes_of_a_path(path: str, by_host: bool, count: int) -> None:
    assert prefix_segments(path, by_host=by_host) == count


def lines_of(call: Callable[[], object]) -> int:
    """How many lines of Python a call runs."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "path", [b"/user/u9999/api/kernels/1/channels", b"/user/unknown/api", b"/other"]
)
def test_ten_thousand_routes_cost_a_look_up_nothing(path: bytes) -> None:
    """By counting, not by the clock: a look-up visits the nodes of its own path alone."""
    alone, many = table(), table()
    alone.add("/user/u9999", {"target": "http://h:10000"})
    for number in range(10_000):
        many.add(f"/user/u{number}", {"target": f"http://h:{1 + number}"})
    # The first one makes the connections of its route.
    first = [repr(routes.find(path)) for routes in (alone, many)]
    assert ("h:10000" in first[1]) is (b"u9999" in path)
    assert lines_of(lambda: many.find(path)) == lines_of(lambda: alone.find(path)) > 0
    assert len(list(many.pools)) == (b"u9999" in path)


def test_routes_pass_to_another_process_and_their_activity_comes_back() -> None:
    here, there = table(), table()
    for name in ("a", "b"):
        here.add(f"/{name}", {"target": "http://h:1", "user": name}).at = 5.0
    there.take(json.loads(json.dumps(here.passed())))
    assert there.by_path["/a"].data == here.by_path["/a"].data
    assert there.new_activity() == {}
    there.by_path["/a"].at = 9.0
    there.by_path["/b"].at = 3.0
    told = there.new_activity()
    assert there.new_activity() == {}
    here.note_activity({**told, "/gone": 99.0})
    assert {path: route.at for path, route in here.by_path.items()} == {
        "/a": 9.0,
        "/b": 5.0,
    }


def test_who_left_the_file_to_a_successor_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    first = table(journal=Journal(path))
    first.load()
    first.add("/a", {"target": "http://h:1"})
    first.leave_journal()
    before = path.read_bytes()
    first.add("/b", {"target": "http://h:1"})
    assert path.read_bytes() == before
    first.use_journal()
    assert path.read_bytes().startswith(before)
    assert b'"/b"' in path.read_bytes()
    first.leave_journal()


async def test_a_file_that_cannot_be_written_after_a_takeover_is_written_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "folder" / "routes"
    first = table(journal=Journal(path))
    first.load()
    first.add("/a", {"target": "http://h:1"})
    first.leave_journal()
    away = path.parent.rename(tmp_path / "away")
    path.parent.write_text("in the way")
    with pytest.raises(OSError, match="Not a directory"):
        first.use_journal()
    path.parent.unlink()
    away.rename(path.parent)
    first.add("/b", {"target": "http://h:1"})
    await first.save()
    first.leave_journal()
    again = table(journal=Journal(path))
    assert again.load() == 2
    again.leave_journal()

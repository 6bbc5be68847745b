"""An admin application in front of a ring, and a browser that has a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from proxy.admin.app import make_admin_app
from proxy.admin.protection import BASE, CSRF_FIELD, protect
from proxy.admin.replay import Replay
from proxy.admin.sessions import AdminSessions
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.replay_request import Destination
from proxy.inspector.ring import Ring
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.head import RequestHead


class Page:
    """What the page does: it has the cookie, its own Origin and the session's token."""

    def __init__(
        self, client: TestClient[web.Request, web.Application], inspector: Inspector
    ) -> None:
        self.client = client
        self.inspector = inspector
        self.csrf = ""

    @property
    def origin(self) -> str:
        return str(self.client.make_url("/")).rstrip("/")

    @property
    def own(self) -> dict[str, str]:
        """The fields of the page's own requests."""
        return {"Origin": self.origin, CSRF_FIELD: self.csrf}

    async def get(self, path: str) -> Any:
        async with self.client.get(f"{BASE}api/{path}") as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.client.post(f"{BASE}api/{path}", json=body, headers=self.own) as response:
            assert response.status == status, await response.text()
            return await response.json()


async def no_rules(head: RequestHead, content: bytes) -> int:
    """In the place of the proxying."""
    raise AssertionError(f"{head.target!r} goes to Jupyter")


@pytest.fixture
def sessions() -> AdminSessions:
    return AdminSessions()


@pytest.fixture
def recorders() -> list[Recorder | None]:
    """The recorders that were put to use, in order."""
    return []


@pytest.fixture
def inspector(recorders: list[Recorder | None]) -> Inspector:
    made = Inspector(Ring(), recorders.append)
    made.switch(CaptureOptions())
    return made


def to(address: Callable[[], UpstreamAddress | None]) -> Callable[[str, str], Destination]:
    """The destination of every request where there is one Jupyter."""
    return lambda _host, target: Destination("lab.example.org", address(), target)


def no_facts(_route: str) -> dict[str, str]:
    """Of what stands in mends nothing is known."""
    return {}


@pytest.fixture
def replay(inspector: Inspector) -> Replay:
    return Replay(inspector, no_rules, to(lambda: None), lambda: "")


@pytest.fixture
async def stranger(
    inspector: Inspector, replay: Replay, sessions: AdminSessions
) -> AsyncIterator[Page]:
    """A browser without a session."""
    authorities = set[str]()
    app = make_admin_app(
        inspector,
        replay,
        protect(sessions, authorities),
        lambda: {"site": "https://lab"},
        lambda _route: {"domain": "lab.example.org"},
    )
    server = TestServer(app)
    async with TestClient(server) as client:
        authorities.add(f"127.0.0.1:{server.port}")
        yield Page(client, inspector)


@pytest.fixture
async def page(stranger: Page, sessions: AdminSessions) -> Page:
    """A browser that came with the token."""
    async with stranger.client.get("/", params={"token": sessions.token}) as response:
        assert response.status == 200
    stranger.csrf = (await stranger.get("state"))["csrf"]
    return stranger

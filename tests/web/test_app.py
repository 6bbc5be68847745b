"""What labgate answers itself, asked as an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.rules.head import Field, RequestHead
from proxy.web.app import make_app
from tests.web.test_health import Jupyter

Client = Callable[..., Awaitable["TestClient[Any, Any]"]]


async def test_health_does_not_depend_on_jupyter(aiohttp_client: Client) -> None:
    jupyter = Jupyter(ready=False)
    client = await aiohttp_client(make_app(upstream_answers=jupyter))
    answer = await client.get("/.labgate/health")
    assert (answer.status, await answer.text()) == (200, "serving\n")
    assert jupyter.asked == 0


@pytest.mark.parametrize(
    ("ready", "status", "text"), [(True, 200, "ready\n"), (False, 503, "not ready\n")]
)
async def test_many_waiting_pages_ask_jupyter_once(
    aiohttp_client: Client, ready: bool, status: int, text: str
) -> None:
    jupyter = Jupyter(ready=ready)
    client = await aiohttp_client(make_app(upstream_answers=jupyter, ready_for_seconds=3600.0))
    for _ in range(5):
        answer = await client.get("/.labgate/ready")
        assert (answer.status, await answer.text()) == (status, text)
    assert jupyter.asked == 1


PUBLIC = {
    "/.labgate/health",
    "/.labgate/ready",
    "/.labgate/logout",
    "/.well-known/acme-challenge/{token}",
}


async def test_it_has_no_route_but_those_for_everybody() -> None:
    """What belongs to an administrator has an application and a listener of its own."""

    async def end_sessions(_head: RequestHead) -> tuple[Field, ...]:
        return ()

    app = make_app(upstream_answers=Jupyter(ready=True), end_sessions=end_sessions)
    assert {resource.canonical for resource in app.router.resources()} == PUBLIC

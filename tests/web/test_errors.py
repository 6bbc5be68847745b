"""The application's errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.web.app import make_app
from tests.web.test_health import Jupyter

Client = Callable[..., Awaitable["TestClient[Any, Any]"]]


FORMS = [
    ({}, "text/plain", "There is nothing at this address.\n"),
    ({"Accept": "application/json"}, "application/json", '"message": "There is nothing'),
    ({"Accept": "text/html"}, "text/html", "<h1>There is nothing here</h1>"),
]


@pytest.mark.parametrize(("fields", "content_type", "text"), FORMS)
async def test_an_error_comes_as_whoever_asks_wants_it(
    aiohttp_client: Client, fields: dict[str, str], content_type: str, text: str
) -> None:
    client = await aiohttp_client(make_app(upstream_answers=Jupyter(ready=True)))
    for path in ("/.labgate/absent", "/.labgate/logout", "/.labgate/inspector", "/"):
        answer = await client.get(path, headers=fields)
        assert (answer.status, answer.content_type) == (404, content_type)
        assert text in await answer.text()


async def test_a_fault_is_500_and_tells_only_the_log(
    aiohttp_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> bool:
        raise ValueError("the reason")

    client = await aiohttp_client(make_app(upstream_answers=fails))
    answer = await client.get("/.labgate/ready")
    assert answer.status == 500
    assert "its log has the reason" in await answer.text()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "the reason" in caplog.text


async def test_another_method_is_405(aiohttp_client: Client) -> None:
    client = await aiohttp_client(make_app(upstream_answers=Jupyter(ready=True)))
    answer = await client.post("/.labgate/health")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")

"""The fields that every answer of the application has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.web.app import make_app
from tests.web.test_health import Jupyter

Client = Callable[..., Awaitable["TestClient[Any, Any]"]]


@pytest.mark.parametrize("path", ["/.labgate/health", "/.labgate/ready", "/.labgate/absent"])
async def test_every_answer_has_the_security_fields_and_names_no_software(
    aiohttp_client: Client, path: str
) -> None:
    client = await aiohttp_client(make_app(upstream_answers=Jupyter(ready=True)))
    answer = await client.get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Server" not in answer.headers

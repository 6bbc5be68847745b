"""The files of HTTP-01 challenges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.web.app import make_app
from tests.web.test_health import Jupyter

Client = Callable[..., Awaitable["TestClient[Any, Any]"]]


async def test_a_challenge_comes_from_the_first_folder_that_has_it(
    aiohttp_client: Client, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "token").write_text(folder.name)
    (second / "other").write_text("other")
    app = make_app(upstream_answers=Jupyter(ready=True), challenge_folders=[first, second])
    client = await aiohttp_client(app)
    for token, status, content in (("token", 200, "first"), ("other", 200, "other")):
        answer = await client.get(f"/.well-known/acme-challenge/{token}")
        assert (answer.status, await answer.text()) == (status, content)
        assert answer.content_type == "application/octet-stream"


async def test_a_challenge_that_is_absent_is_404_and_logged(
    aiohttp_client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(upstream_answers=Jupyter(ready=True), challenge_folders=[tmp_path])
    client = await aiohttp_client(app)
    asking = {"X-Real-IP": "192.0.2.7"}
    answer = await client.get("/.well-known/acme-challenge/absent", headers=asking)
    assert answer.status == 404
    assert await answer.text() == "There is no such certificate challenge here.\n"
    assert "refused 404 by rule challenge" in caplog.text
    assert "192.0.2.7" in caplog.text


@pytest.mark.parametrize(
    "path",
    ["absent", "..%2Fsecret", "%2e%2e", "a.b", "", "first/token", "%00"],
)
async def test_nothing_but_a_token_is_looked_for(
    aiohttp_client: Client, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "challenges"
    folder.mkdir()
    app = make_app(upstream_answers=Jupyter(ready=True), challenge_folders=[folder])
    client = await aiohttp_client(app)
    answer = await client.get(f"/.well-known/acme-challenge/{path}")
    assert answer.status == 404

"""What labgate answers itself, asked as an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.rules.model import Field, RequestHead
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


async def test_the_page_asks_and_a_post_ends_the_session(aiohttp_client: Client) -> None:
    ended: list[RequestHead] = []

    async def end_sessions(head: RequestHead) -> tuple[Field, ...]:
        ended.append(head)
        return ((b"WWW-Authenticate", b"Basic"), (b"Set-Cookie", b"a=; Max-Age=0"))

    app = make_app(upstream_answers=Jupyter(ready=True), end_sessions=end_sessions)
    client = await aiohttp_client(app)
    page = await client.get("/.labgate/logout")
    assert (page.status, page.content_type) == (200, "text/html")
    assert '<form method="post" action="/.labgate/logout">' in await page.text()
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert not ended
    fields = {"Cookie": "mine=1", "X-Real-IP": "192.0.2.7"}
    answer = await client.post("/.labgate/logout", headers=fields)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Basic"
    assert answer.headers["Set-Cookie"] == "a=; Max-Age=0"
    assert await answer.text() == "You are logged out of this server.\n"
    (head,) = ended
    assert list(head.values(b"cookie")) == [b"mine=1"]
    assert head.arrival.peer == "192.0.2.7"


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


async def test_another_method_is_405(aiohttp_client: Client) -> None:
    client = await aiohttp_client(make_app(upstream_answers=Jupyter(ready=True)))
    answer = await client.post("/.labgate/health")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")

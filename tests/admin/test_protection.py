"""Who may ask the admin listener: every way in that must be shut."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from proxy.admin.app import make_admin_app
from proxy.admin.protection import BASE, CSRF_FIELD, local_authorities, protect
from proxy.admin.replay import Replay
from proxy.admin.sessions import AdminSessions

from .conftest import Page, no_facts, no_rules, to

STATE = f"{BASE}api/state"


async def test_the_token_becomes_a_cookie_and_leaves_the_address(
    stranger: Page, sessions: AdminSessions
) -> None:
    path = f"{BASE}?token={sessions.token}"
    async with stranger.client.get(path, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == BASE
        cookie = response.cookies[f"labgate-inspector-{stranger.client.port}"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == BASE
    assert sessions.token not in cookie.value
    async with stranger.client.get(BASE) as response:
        assert response.status == 200
        assert "<title>labgate inspector</title>" in await response.text()


@pytest.mark.parametrize("path", ["/", BASE, STATE, f"{BASE}inspector.js", f"{BASE}api/live"])
async def test_without_a_session_there_is_nothing(stranger: Page, path: str) -> None:
    async with stranger.client.get(path) as response:
        assert response.status == 401
        assert "labgate inspect" in await response.text()


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
async def test_a_wrong_token(stranger: Page, token: str) -> None:
    async with stranger.client.get(BASE, params={"token": token}) as response:
        assert response.status == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.nip.io"])
async def test_another_host_is_a_rebound_name(page: Page, host: str) -> None:
    async with page.client.get(STATE, headers={"Host": host}) as response:
        assert response.status == 421


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Origin": None}, id="no Origin"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Origin": "http://127.0.0.1:1"}, id="another port"),
        pytest.param({"Origin": "http://evil.example"}, id="another site"),
        pytest.param({CSRF_FIELD: None}, id="no token"),
        pytest.param({CSRF_FIELD: "wrong"}, id="a wrong token"),
    ],
)
async def test_another_page_changes_nothing(page: Page, change: dict[str, str | None]) -> None:
    fields = {name: value for name, value in (page.own | change).items() if value is not None}
    for path in ("state", "clear", "har", "exchanges/1/replay"):
        async with page.client.post(f"{BASE}api/{path}", json={}, headers=fields) as response:
            assert response.status == 403
    assert page.inspector.options is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_reads_nothing(page: Page, site: str) -> None:
    async with page.client.get(STATE, headers={"Sec-Fetch-Site": site}) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("origin", "csrf"), [("http://evil.example", True), (None, True), ("own", False)]
)
async def test_another_page_cannot_listen(page: Page, origin: str | None, csrf: bool) -> None:
    fields: dict[str, Any] = {"Origin": page.origin if origin == "own" else origin}
    path = f"{BASE}api/live" + (f"?csrf={page.csrf}" if csrf else "")
    headers = {name: value for name, value in fields.items() if value is not None}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await page.client.ws_connect(path, headers=headers)
    assert refused.value.status == 403


async def test_every_answer_has_the_security_fields(page: Page) -> None:
    for path in (BASE, f"{BASE}inspector.js", STATE):
        async with page.client.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            assert "Server" not in response.headers


def test_the_names_of_loopback() -> None:
    with_port = {"127.0.0.1:8080", "[::1]:8080", "localhost:8080"}
    assert local_authorities(8080) == with_port
    # The port of HTTP stands in no Host that a browser sends.
    without = {"127.0.0.1", "[::1]", "localhost"}
    assert local_authorities(80) == without | {f"{host}:80" for host in without}


async def test_a_token_that_is_no_utf_8_is_wrong(page: Page) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", page.client.port)
    cookies = page.client.session.cookie_jar.filter_cookies(page.client.make_url(STATE))
    lines = [
        f"POST {STATE} HTTP/1.1",
        f"Host: 127.0.0.1:{page.client.port}",
        f"Origin: {page.origin}",
        cookies.output(attrs=[], header="Cookie:"),
        f"{CSRF_FIELD}: \xff",
        "Content-Length: 0",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    writer.close()
    await writer.wait_closed()


async def test_two_labgates_on_one_machine_have_a_cookie_each(page: Page) -> None:
    """Both are 127.0.0.1 to the browser, and cookies know no ports."""
    other = AdminSessions()
    authorities = set[str]()
    app = make_admin_app(
        page.inspector,
        Replay(page.inspector, no_rules, to(lambda: None), lambda: ""),
        protect(other, authorities),
        dict,
        no_facts,
    )
    async with TestServer(app) as server:
        authorities.add(f"127.0.0.1:{server.port}")
        address = server.make_url(f"{BASE}?token={other.token}")
        async with page.client.session.get(address) as response:
            assert response.status == 200
    await page.get("state")

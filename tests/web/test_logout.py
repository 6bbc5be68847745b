"""The end of a session, and the page that asks first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.test_utils import TestClient

from proxy.rules.head import Field, RequestHead
from proxy.web.app import make_app
from tests.web.test_health import Jupyter

Client = Callable[..., Awaitable["TestClient[Any, Any]"]]


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
    assert await answer.text() == "Your session on this server is over.\n"
    (head,) = ended
    assert list(head.values(b"cookie")) == [b"mine=1"]
    assert head.arrival.peer == "192.0.2.7"

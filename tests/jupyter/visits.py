"""What a person does with a Jupyter that runs: asks, logs in, starts a kernel."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from proxy.jupyter.readiness import is_ready
from proxy.net.upstream_address import UpstreamAddress


async def contents_status(address: UpstreamAddress, token: str = "") -> int:
    """The status of GET /api/contents."""
    headers = {"Authorization": f"token {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/api/contents", headers=headers) as response,
    ):
        return response.status


async def password_opens(address: UpstreamAddress, passphrase: str) -> bool:
    """Whether the login form takes the passphrase, and its cookie then opens the contents."""
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(f"{address}/login") as page:
            xsrf = page.cookies["_xsrf"].value
        form = {"password": passphrase, "_xsrf": xsrf}
        async with session.post(f"{address}/login", data=form, allow_redirects=False) as login:
            taken = login.status == 302
        async with session.get(f"{address}/api/contents") as contents:
            assert contents.status == (200 if taken else 403)
    return taken


async def request(
    address: UpstreamAddress, token: str, method: str, path: str, body: Any = None
) -> Any:
    """One API request; the JSON of its answer."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"token {token}"}) as session,
        session.request(method, f"{address}/api/{path}", json=body) as response,
    ):
        assert response.ok, await response.text()
        return await response.json()


async def save(address: UpstreamAddress, token: str, path: str, text: str) -> None:
    body = {"type": "file", "format": "text", "content": text}
    await request(address, token, "PUT", f"contents/{path}", body)


async def read(address: UpstreamAddress, token: str, path: str) -> str:
    answer = await request(address, token, "GET", f"contents/{path}?type=file&format=text")
    return str(answer["content"])


async def until_it_answers(address: UpstreamAddress) -> None:
    """Wait until a Jupyter that nobody watches answers."""
    for _ in range(600):
        if await is_ready(address):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


async def keep_busy(address: UpstreamAddress, token: str) -> None:
    """Start a kernel and have it work until it is ended."""
    kernel = (await request(address, token, "POST", "kernels"))["id"]
    execute = {
        "header": {"msg_id": "1", "msg_type": "execute_request", "username": "", "session": "1"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": "while True: pass", "silent": False},
        "channel": "shell",
    }
    headers = {"Authorization": f"token {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{address}/api/kernels/{kernel}/channels") as channels,
    ):
        await channels.send_json(execute)
        async for message in channels:
            content = message.json().get("content", {})
            if message.json().get("msg_type") == "execute_input":
                return
            assert content.get("status") != "error"


async def open_terminal(address: UpstreamAddress, token: str) -> None:
    await request(address, token, "POST", "terminals")

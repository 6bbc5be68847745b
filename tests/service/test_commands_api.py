"""What the calls of the commands answer to nonsense."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from proxy.admin.protection import BASE
from proxy.app import Application
from proxy.config.settings import Settings
from proxy.service.commands_api import command_routes
from proxy.service.instance import Instance
from proxy.service.live_configuration import LiveConfiguration

UNLOCK = ("POST", "unlock")


@pytest.mark.parametrize(
    ("call", "body", "sentence"),
    [
        (UNLOCK, b"", "this is no JSON"),
        (UNLOCK, b"{", "this is no JSON"),
        (UNLOCK, b"\xff", "this is no JSON"),
        (UNLOCK, b"[" * 100_000, "this is no JSON"),
        (UNLOCK, b"[]", 'wants an IP address: {"address": "192.0.2.1"}'),
        (UNLOCK, b"{}", "wants an IP address"),
        (UNLOCK, b'{"address": 1}', "wants an IP address"),
        (UNLOCK, b'{"address": "nonsense"}', "'nonsense' is no IP address"),
        (("GET", "log?lines=many"), b"", "lines is a number"),
        (("GET", f"log?lines={'9' * 5000}"), b"", "lines is a number"),
    ],
)
async def test_nonsense(call: tuple[str, str], body: bytes, sentence: str) -> None:
    settings = Settings.model_validate({"listen": {"tls": False}})
    configuration = LiveConfiguration(settings, lambda: settings, "serve")
    app = web.Application()
    serving = Application(settings, access_log=False)
    app.add_routes(command_routes(Instance(configuration, serving, datetime.now(UTC))))
    method, path = call
    async with TestClient(TestServer(app)) as client:
        answer = await client.request(method, f"{BASE}api/{path}", data=body)
        assert answer.status == 400
        assert sentence in (await answer.json())["error"]

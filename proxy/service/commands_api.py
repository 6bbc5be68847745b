"""The calls of ``labgate status``, ``reload``, ``stop`` and others on the admin socket.

Only the socket has them, never the inspector's page. Tested by tests/service/test_commands_api.py
and tests/e2e/test_status.py.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from proxy.admin.json_body import bad_request, json_body
from proxy.admin.protection import BASE
from proxy.errors import StartError
from proxy.service.instance import Instance
from proxy.service.live_configuration import PARTLY_IN_FORCE

MAX_LINES = 100_000
STOP_AFTER_SECONDS = 0.05
"""The answer is sent first."""


def command_routes(instance: Instance) -> list[web.RouteDef]:
    """The routes, for the admin socket's application."""
    api = f"{BASE}api/"

    async def status(_request: web.Request) -> web.Response:
        return web.json_response(await instance.status())

    async def stop(_request: web.Request) -> web.Response:
        asyncio.get_running_loop().call_later(STOP_AFTER_SECONDS, instance.stop)
        return web.json_response({})

    async def reload(_request: web.Request) -> web.Response:
        outcome = await instance.reload()
        failed = f"{outcome.failed} {PARTLY_IN_FORCE}" if outcome.failed else ""
        answer = {"refused": outcome.refused, "failed": failed, "sentences": outcome.sentences}
        return web.json_response(answer)

    async def takeover(_request: web.Request) -> web.Response:
        try:
            return web.json_response({"socket": instance.offer_takeover()})
        except StartError as error:
            return web.json_response({"error": str(error)}, status=409)

    async def upgrade(_request: web.Request) -> web.Response:
        try:
            return web.json_response({"pid": await instance.upgrade()})
        except StartError as error:
            return web.json_response({"error": str(error)}, status=409)

    async def address(_request: web.Request) -> web.Response:
        return web.json_response({"address": instance.login_address()})

    async def unlock(request: web.Request) -> web.Response:
        try:
            lifted = await instance.unlock(await _address(request))
        except StartError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"lifted": lifted})

    async def log(request: web.Request) -> web.StreamResponse:
        lines = instance.log(_number_of_lines(request), follow="follow" in request.query)
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        try:
            async for line in lines:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(line.encode("utf-8") + b"\n")
        except StartError as error:
            return web.json_response({"error": str(error)}, status=409)
        if not response.prepared:
            await response.prepare(request)
        return response

    return [
        web.get(api + "status", status),
        web.get(api + "log", log),
        web.post(api + "address", address),
        web.post(api + "reload", reload),
        web.post(api + "stop", stop),
        web.post(api + "takeover", takeover),
        web.post(api + "upgrade", upgrade),
        web.post(api + "unlock", unlock),
    ]


async def _address(request: web.Request) -> str:
    """The address in ``{"address": …}``."""
    body = await json_body(request)
    address = body.get("address") if isinstance(body, dict) else None
    if not isinstance(address, str):
        raise bad_request('this call wants an IP address: {"address": "192.0.2.1"}')
    return address


def _number_of_lines(request: web.Request) -> int:
    try:
        count = int(request.query.get("lines", "100"))
    except ValueError:
        raise bad_request("lines is a number") from None
    return min(max(count, 0), MAX_LINES)

"""A reverse proxy as people write them with aiohttp, with the faults that such ones have."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

DEFAULT_MESSAGE_BYTES = 4 * 1024 * 1024
"""aiohttp's own limit."""

HOP_BY_HOP = ("Connection", "Transfer-Encoding", "Upgrade", "Content-Length", "Content-Encoding")


@dataclass
class PythonProxy:
    """Passes requests on to ``upstream``.

    Attributes:
        max_message_bytes: Of WebSockets; 0 for no limit.
        cut_after_bytes: How much of a long answer is passed on; 0 for all.
        gzip_twice: Whether styles are compressed twice.
        refused: The methods that are refused.
        shared_cache: Whether pages are kept and given to everybody.
        without_set_cookie: Whether Set-Cookie is dropped.
    """

    upstream: str
    max_message_bytes: int = 0
    cut_after_bytes: int = 0
    gzip_twice: bool = False
    refused: tuple[str, ...] = ()
    shared_cache: bool = False
    without_set_cookie: bool = False
    cache: dict[str, bytes] = field(default_factory=dict)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        if request.method in self.refused:
            return web.Response(status=405, text="not here")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        page = request.path in ("/lab", "/tree")
        if self.shared_cache and page and (kept := self.cache.get(request.raw_path)):
            return web.Response(body=kept, content_type="text/html")
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self.upstream + request.raw_path, encoded=True),
                headers=self._fields(request),
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as answer,
        ):
            fields = CIMultiDict(answer.headers)
            for name in HOP_BY_HOP:
                fields.popall(name, None)
            if self.without_set_cookie:
                fields.popall("Set-Cookie", None)
            if self.gzip_twice and request.path.endswith((".css", ".js")):
                return await self._packed(request, answer, fields)
            response = web.StreamResponse(status=answer.status, headers=fields)
            if answer.content_length is not None:
                response.content_length = answer.content_length
            await response.prepare(request)
            passed, content = 0, b""
            async for piece in answer.content.iter_any():
                await response.write(piece)
                passed += len(piece)
                if page:
                    content += piece
                if self.cut_after_bytes and passed > self.cut_after_bytes:
                    assert request.transport is not None
                    request.transport.close()
                    return response
            if page and answer.status == 200:
                self.cache[request.raw_path] = content
            await response.write_eof()
            return response

    async def _packed(
        self,
        request: web.BaseRequest,
        answer: aiohttp.ClientResponse,
        fields: CIMultiDict[str],
    ) -> web.Response:
        content = await answer.read()
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            content = gzip.compress(gzip.compress(content))
            fields["Content-Encoding"] = "gzip"
        return web.Response(body=content, status=answer.status, headers=fields)

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = [name.strip() for name in offered.split(",") if name.strip()]
        url = URL(self.upstream + request.raw_path, encoded=True)
        fields = self._fields(request)
        for name in [name for name in fields if name.lower().startswith("sec-websocket")]:
            fields.popall(name)
        limit = self.max_message_bytes
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(
                    url, headers=fields, protocols=protocols, max_msg_size=limit
                ) as up:
                    down = web.WebSocketResponse(
                        protocols=[up.protocol] if up.protocol else (), max_msg_size=limit
                    )
                    await down.prepare(request)
                    both = [
                        asyncio.ensure_future(_pump(down, up)),
                        asyncio.ensure_future(_pump(up, down)),
                    ]
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    for pump in both:
                        pump.cancel()
                    await asyncio.gather(*both, return_exceptions=True)
                    await down.close()
                    return down
            except aiohttp.WSServerHandshakeError as error:
                return web.Response(status=error.status)

    def _fields(self, request: web.BaseRequest) -> CIMultiDict[str]:
        fields = CIMultiDict(request.headers)
        for name in ("Connection", "Upgrade", "Transfer-Encoding"):
            fields.popall(name, None)
        return fields


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)


Handler = Callable[[web.BaseRequest], "asyncio.Future[web.StreamResponse]"]


@asynccontextmanager
async def serving(handle: object) -> AsyncIterator[str]:
    """Serve on a free port of loopback; the address."""
    runner = web.ServerRunner(web.Server(handle, max_field_size=2**16), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()

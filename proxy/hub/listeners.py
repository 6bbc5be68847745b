"""What a hub's proxy listens on.

Tested by tests/hub/test_hub_proxy.py.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from proxy.errors import StartError
from proxy.http1.server import Http1Server
from proxy.hub.options import Endpoint
from proxy.net.listener import Listener, listen
from proxy.net.ports import BACKLOG, bind

SHUTDOWN_SECONDS = 0.5

Close = Callable[[], Awaitable[None]]


async def open_public(
    endpoint: Endpoint, server: Http1Server, context: ssl.SSLContext | None, flag: str
) -> list[Listener | asyncio.Server]:
    """Listen for clients.

    Args:
        endpoint: Where.
        server: Serves the connections.
        context: For TLS; None serves plain HTTP.
        flag: The option that would change it, named in errors.

    Raises:
        StartError: It is not possible there.
    """
    if endpoint.socket is not None:
        loop = asyncio.get_running_loop()
        try:
            return [await loop.create_unix_server(server, str(endpoint.socket), ssl=context)]
        except OSError as error:
            raise StartError(_socket_error(endpoint, flag, error)) from None
    sockets = bind(endpoint.addresses, endpoint.port or 0, flag, optional=endpoint.optional)
    return [await listen(server, listening, context, BACKLOG) for listening in sockets]


async def open_application(
    endpoint: Endpoint, app: web.Application, context: ssl.SSLContext | None, flag: str
) -> Close:
    """Serve an aiohttp application; returns what ends it.

    Raises:
        StartError: It is not possible there.
    """
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        if endpoint.socket is not None:
            try:
                await web.UnixSite(runner, endpoint.socket, ssl_context=context).start()
            except OSError as error:
                raise StartError(_socket_error(endpoint, flag, error)) from None
            return runner.cleanup
        sockets = bind(endpoint.addresses, endpoint.port or 0, flag, optional=endpoint.optional)
        for listening in sockets:
            await web.SockSite(runner, listening, ssl_context=context).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner.cleanup


def _socket_error(endpoint: Endpoint, flag: str, error: OSError) -> str:
    return (
        f"{flag} {endpoint.socket}: it cannot be listened on: {error.strerror or error}. Name a "
        "path in a folder that this user may write to."
    )

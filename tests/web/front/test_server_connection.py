"""What the connection needs of aiohttp beyond its documentation; ``test_server`` tests the rest.

aiohttp may change these names in any release. Then this fails, with what has to be found again.
"""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web

from proxy.web import front
from proxy.web.front.server_connection import AiohttpConnection
from tests.http1.memory_transport import MemoryTransport

FOLDER = Path(front.__file__).parent
GET = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: lab.example.org\r\nTransfer-Encoding: chunked\r\n\r\n"

NEEDED = {
    "_messages": "what was parsed and not served yet, requests and errors: after the FIN of a "
    "client the connection ends when there is none, and an error behind a request that is served "
    "is the error of its content",
    "_waiter": "a future while the next request is awaited, which the timeouts ask for",
}
"""What labgate reads of a ``web.RequestHandler``, and what for."""


async def test_aiohttp_has_what_labgate_reads() -> None:
    handler = web.Server(serve_nothing)()
    for name, use in NEEDED.items():
        assert hasattr(handler, name), (
            f"aiohttp {aiohttp.__version__} has no RequestHandler.{name}. labgate takes from it "
            f"{use}. Find that another way in proxy/web/front."
        )


async def serve_nothing(_request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("no request is sent")


async def test_they_mean_what_labgate_reads_in_them() -> None:
    called, proceed = asyncio.Event(), asyncio.Event()

    async def serve(_request: web.BaseRequest) -> web.StreamResponse:
        called.set()
        await proceed.wait()
        return web.Response()

    handler = web.Server(serve)()
    handler.connection_made(MemoryTransport(peername=("127.0.0.1", 4711)))
    await asyncio.sleep(0)
    assert awaits_a_request(handler)
    assert not handler._messages
    handler.data_received(CHUNKED)
    await called.wait()
    assert not awaits_a_request(handler), "it serves one"
    assert not handler._messages, "it is not among those that wait"
    handler.data_received(b"no size\r\n" + GET)
    assert handler._messages, "there is an error, or another request"
    proceed.set()
    await handler.shutdown()


def awaits_a_request(handler: web.RequestHandler) -> bool:
    return handler._waiter is not None and not handler._waiter.done()


def test_labgate_reads_nothing_else_that_is_aiohttps_own() -> None:
    own = {name for name, _ in private_names("server_connection.py", of_self=True, stored=True)}
    read = private_names("server_connection.py", of_self=True, stored=False)
    for file in FOLDER.glob("*.py"):
        read |= private_names(file.name, of_self=False, stored=False)
    assert {name for name, _ in read} - own == NEEDED.keys(), sorted(read)


def test_no_name_of_labgates_hides_one_of_aiohttps() -> None:
    own = {name for name, _ in private_names("server_connection.py", of_self=True, stored=True)}
    assert "_serving" in own
    assert own & set(dir(web.RequestHandler)) == set()
    assert issubclass(AiohttpConnection, web.RequestHandler)


def private_names(file: str, *, of_self: bool, stored: bool) -> set[tuple[str, str]]:
    """The private attributes that a file of the front sets or reads, each with the file.

    Args:
        file: Its name.
        of_self: Those of ``self``; else those of other objects.
        stored: Those that are set, and methods; else those that are read.
    """
    tree = ast.parse((FOLDER / file).read_text("utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            if is_self is of_self and isinstance(node.ctx, ast.Store) is stored:
                found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and stored:
            found.add(node.name)
    return {(name, file) for name in found if name[0] == "_" and name[:2] != "__"}

"""Guesses at Jupyter's token over real sockets."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.lockout import Lockout
from proxy.net.reset import reset
from tests.access.guarded import (
    HANDSHAKE,
    Guarded,
    basic,
    cookie_of,
    until,
)
from tests.edges import edge, request
from tests.upstreams import Visit

RIGHT = "t0ken"
CONTENT = b"Content-Length: 0\r\n\r\n"


class TokenJupyter:
    """Answers as jupyter_server does to a token, and to the login cookie it gives for one."""

    def __init__(self, port: int) -> None:
        self.login = b"username-127-0-0-1-%d" % port
        self.tried: list[str] = []
        self.hold: asyncio.Event | None = None

    async def __call__(self, visit: Visit) -> None:
        while head := await visit.head():
            found = re.search(rb"(?:[?&]token=|Authorization: token )([^\r &]+)", head)
            if found:
                self.tried.append(found[1].decode())
            if self.hold is not None:
                await self.hold.wait()
            await visit.say(self.answer(head, found is not None and found[1] == RIGHT.encode()))

    def answer(self, head: bytes, right: bool) -> bytes:
        logged_in = self.login + b"=valid" in head
        cookie = b"Set-Cookie: " + self.login + b"=valid\r\n" if right and not logged_in else b""
        if right or logged_in or head.startswith(b"GET /api?"):
            return b"HTTP/1.1 200 OK\r\n" + cookie + CONTENT
        if head.startswith(b"GET /lab"):
            return b"HTTP/1.1 302 Found\r\nLocation: /login?next=%2Flab\r\n" + CONTENT
        return b"HTTP/1.1 403 Forbidden\r\n" + CONTENT


@pytest.fixture
async def tokens(without_users: Guarded) -> tuple[Guarded, TokenJupyter]:
    jupyter = TokenJupyter(without_users.jupyter.address.port)
    without_users.jupyter.answer = jupyter
    return without_users, jupyter


Tokened = tuple[Guarded, TokenJupyter]


def remaining(labgate: Guarded) -> int:
    return labgate.lockout.remaining_failures("127.0.0.1", time.monotonic())


@pytest.mark.parametrize(
    ("target", "field", "status"),
    [
        ("/lab?token={}", "A: b", 302),
        ("/api/contents?to%6ben={}", "A: b", 403),
        ("/api?token={}", "A: b", 200),
        ("/api/contents", "Authorization: token {}", 403),
        ("/api?x=1", "Authorization: token {}", 200),
    ],
)
async def test_guesses_at_the_token_shut_an_address_out(
    tokens: Tokened, target: str, field: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    labgate, jupyter = tokens
    statuses = [
        await labgate.status(field.format(f"x{n}").encode(), target=target.format(f"x{n}").encode())
        for n in range(150)
    ]
    assert statuses == [status] * 10 + [429] * 140
    assert len(jupyter.tried) in (0, 10)  # 0: an encoded name is none of this test's
    assert caplog.text.count("lockout: too many failed logins, 127.0.0.1 is shut out for") == 1
    assert 1 <= caplog.text.count("refused 429") < 100, "a crowd gets a line now and then"
    # The right one is not tried either, a login to Jupyter is not, and all else goes on.
    assert await labgate.status(target=f"/lab?token={RIGHT}".encode()) == 429
    assert await labgate.log_in_to_jupyter() == 429
    assert await labgate.status(target=b"/api?x=1") == 200


async def test_a_burst_of_guesses_at_the_token(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    statuses = await asyncio.gather(
        *(labgate.status(target=f"/lab?token=x{n}".encode()) for n in range(150))
    )
    assert statuses.count(429) >= 140
    assert len(jupyter.tried) <= 10


async def test_an_open_tab_whose_token_has_expired_shuts_nobody_out(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    for _ in range(40):
        assert await labgate.status(b"Authorization: token old", target=b"/api/contents") == 403
    assert await labgate.status(target=b"/lab?token=old") == 302
    assert remaining(labgate) == 9
    assert len(jupyter.tried) == 41


async def test_who_is_logged_in_and_brings_an_old_token_is_not_counted(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    cookie = b"Cookie: " + jupyter.login + b"=valid"
    for n in range(20):
        assert await labgate.status(cookie, target=f"/lab?token=old{n}".encode()) == 200
    assert remaining(labgate) == 10


async def test_a_right_token_is_not_slowed(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    for n in range(9):
        await labgate.status(target=f"/lab?token=x{n}".encode())
    jupyter.hold = asyncio.Event()
    asking = [
        asyncio.ensure_future(labgate.status(target=f"/lab?token={RIGHT}".encode()))
        for _ in range(30)
    ]
    # All of them are with Jupyter at once.
    await until(lambda: jupyter.tried.count(RIGHT) == 30)
    jupyter.hold.set()
    assert set(await asyncio.gather(*asking)) == {200}
    assert remaining(labgate) == 1


async def test_a_token_that_was_right_needs_no_room(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    labgate.count_with(Lockout(2, 900.0))
    right = f"/lab?token={RIGHT}".encode()
    assert await labgate.status(target=right) == 200
    jupyter.hold = asyncio.Event()
    guesses = [
        asyncio.ensure_future(labgate.status(target=f"/lab?token=x{n}".encode())) for n in range(2)
    ]
    await until(lambda: len(jupyter.tried) == 3)
    asking = asyncio.ensure_future(labgate.status(target=right))
    await until(lambda: len(jupyter.tried) == 4)
    jupyter.hold.set()
    assert await asking == 200
    assert await asyncio.gather(*guesses) == [302, 302]


async def test_a_token_that_proves_right_takes_its_failure_back(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    jupyter.answer = lambda head, right: b"HTTP/1.1 200 OK\r\n" + CONTENT  # type: ignore[method-assign]
    assert await labgate.status(target=f"/plain?token={RIGHT}".encode()) == 200
    assert remaining(labgate) == 9
    del jupyter.answer
    assert await labgate.status(target=f"/lab?token={RIGHT}".encode()) == 200
    assert remaining(labgate) == 10


async def test_an_open_tab_works_on_while_its_address_is_shut_out(tokens: Tokened) -> None:
    """Its login goes up, its token is not tried: it could be anybody's guess."""
    labgate, jupyter = tokens
    for n in range(10):
        await labgate.status(target=f"/lab?token=x{n}".encode())
    cookie = b"Cookie: " + jupyter.login + b"=valid"
    token = f"Authorization: token {RIGHT}".encode()
    assert await labgate.status(cookie, token, target=b"/api/contents") == 200
    assert RIGHT not in jupyter.tried
    assert await labgate.status(b"Cookie: a=b", token, target=b"/api/contents") == 403
    assert await labgate.status(token, target=b"/api/contents") == 429


async def test_who_hangs_up_has_tried_a_token_all_the_same(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    jupyter.hold = asyncio.Event()
    _, writer = await labgate.labgate.connect()
    writer.write(request(b"/lab?token=x"))
    await until(lambda: bool(jupyter.tried))
    reset(writer.transport)
    await until(lambda: remaining(labgate) == 9)
    jupyter.hold.set()


async def test_a_token_on_a_websocket_and_one_with_a_login(tokens: Tokened) -> None:
    labgate, _ = tokens
    lines = [b"GET /terminals/websocket/1?token=x HTTP/1.1", b"Host: lab.example.org"]
    reader, writer = await labgate.labgate.connect()
    writer.write(b"\r\n".join([*lines, b"Connection: Upgrade", *HANDSHAKE, b"", b""]))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403")
    assert remaining(labgate) == 9
    length = b"Content-Length: 0"
    assert await labgate.status(length, target=b"/login?token=y", method=b"POST") == 403
    assert remaining(labgate) == 8


async def test_no_token_is_counted_while_jupyter_is_down(tmp_path: Path) -> None:
    async with edge(None) as labgate:
        lockout = Lockout(1, 900.0)
        labgate.router.protect(AccessControl(lockout))
        for n in range(3):
            answer = await labgate.ask(request(b"/lab?token=x%d" % n))
            assert answer.startswith(b"HTTP/1.1 503")
        assert lockout.remaining_failures("127.0.0.1", time.monotonic()) == 1


async def test_tokens_are_counted_with_passwords_too(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.answering.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    for n in range(10):
        assert await labgate.status(cookie, target=b"/api/contents?token=x%d" % n) == 403
    assert await labgate.status(cookie, target=b"/api/contents?token=y") == 429
    assert await labgate.status(cookie, target=b"/api/contents") == 403

"""Sessions over real sockets: what a cookie opens, and how a session ends."""

from __future__ import annotations

import time

import pytest

from proxy.access.revoked_sessions import RevokedFile
from proxy.access.session import RENEW_AFTER_SECONDS, Sessions
from tests.access.guarded import (
    HANDSHAKE,
    USERS,
    Guarded,
    basic,
    cookie_of,
)
from tests.upstreams import OK


async def test_a_session_stands_for_the_password(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    answer = await labgate.ask(cookie + b"; a=1", b"Authorization: token abc")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Set-Cookie" not in answer
    sent = labgate.jupyter.visits[-1].received.splitlines()
    assert b"Cookie: a=1" in sent
    assert b"Authorization: token abc" in sent
    assert b"__Host-labgate" not in labgate.jupyter.heads


async def test_a_session_opens_websockets(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    reader, writer = await labgate.labgate.connect()
    upgrade = (b"Connection: Upgrade", *HANDSHAKE)
    lines = [b"GET /api/events/subscribe HTTP/1.1", b"Host: lab.example.org", *upgrade, cookie]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    assert b"__Host-labgate" not in labgate.jupyter.heads


async def test_a_password_on_a_websocket_gives_a_session(labgate: Guarded) -> None:
    reader, writer = await labgate.labgate.connect()
    upgrade = (b"Connection: Upgrade", *HANDSHAKE, b"Sec-Fetch-Mode: websocket")
    lines = [b"GET /api/events/subscribe HTTP/1.1", b"Host: lab.example.org", *upgrade, basic()]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    assert cookie_of(await reader.readuntil(b"\r\n\r\n"))


async def test_parts_of_a_page_set_no_cookie(labgate: Guarded) -> None:
    assert b"Set-Cookie" not in await labgate.ask(basic(), b"Sec-Fetch-Mode: no-cors")
    assert b"Set-Cookie" not in await labgate.ask(basic(), b"Sec-Fetch-Mode: cors")
    cookie_of(await labgate.ask(basic(), b"Sec-Fetch-Mode: navigate"))


async def test_an_old_session_is_renewed(labgate: Guarded) -> None:
    issued = time.time() - RENEW_AFTER_SECONDS - 60
    old = labgate.sessions.issue("ada", USERS["ada"], issued)[1].partition(b";")[0]
    renewed = cookie_of(await labgate.ask(b"Cookie: " + old))
    assert old not in renewed
    assert b"Set-Cookie" not in await labgate.ask(renewed)


OWN = b"Origin: https://lab.example.org"
LEAVE = {"target": b"/.labgate/logout", "method": b"POST"}


async def test_logging_out_ends_the_session_and_its_copies(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    other = cookie_of(await labgate.ask(basic()))
    old = labgate.sessions.find([cookie[8:]], USERS, time.time())
    assert old is not None
    value = labgate.sessions.issue("ada", USERS["ada"], time.time() + 1, old.name)[1]
    renewed = b"Cookie: " + value.partition(b";")[0]
    answer = await labgate.ask(cookie, OWN, b"Content-Length: 0", **LEAVE)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert (
        b"\r\nSet-Cookie: __Host-labgate=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0\r\n"
        in answer
    )
    assert b"\r\nWWW-Authenticate: Basic" in answer
    assert [await labgate.status(one) for one in (cookie, renewed, other)] == [401, 401, 200]
    # Another labgate with the same folder, as after a restart.
    kept = RevokedFile(labgate.folder).load()
    again = Sessions(b"k" * 32, kept)
    assert again.find([cookie[8:]], USERS, time.time()) is None
    assert again.find([other[8:]], USERS, time.time()) is not None
    assert b"labgate/logout" not in labgate.jupyter.heads


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 403),
        ((b"Origin: https://evil.example",), 403),
        ((b"Origin: null",), 403),
        ((OWN, b"Sec-Fetch-Site: cross-site"), 403),
    ],
)
async def test_another_site_logs_nobody_out(
    labgate: Guarded, fields: tuple[bytes, ...], status: int
) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    assert await labgate.status(cookie, b"Content-Length: 0", *fields, **LEAVE) == status
    page = await labgate.ask(cookie, target=b"/.labgate/logout")
    assert page.startswith(b"HTTP/1.1 200 ")
    assert b'<form method="post" action="/.labgate/logout">' in page
    assert b"Set-Cookie" not in page
    assert await labgate.status(cookie) == 200


async def test_who_is_not_logged_in_ends_nothing(labgate: Guarded) -> None:
    forged = b"Cookie: __Host-labgate=2.1.0123456789abcdef.YWRh.x"
    for fields in ((), (basic(),), (forged,)):
        assert await labgate.status(OWN, b"Content-Length: 0", *fields, **LEAVE) == 401
    assert not list(labgate.folder.glob("ended*"))


async def test_jupyter_cannot_set_a_session(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.answering.answer = OK.replace(
        b"\r\n\r\n", b"\r\nSet-Cookie: __Host-labgate=x; Path=/; Secure\r\nSet-Cookie: a=b\r\n\r\n"
    )
    answer = await labgate.ask(cookie)
    assert answer.count(b"Set-Cookie: ") == 1
    assert b"Set-Cookie: a=b; Secure" in answer

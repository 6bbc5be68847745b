"""Who gets in, over real sockets: judged by the answer and by what reached the upstream."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.basic import BasicCredentials
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.session import Sessions
from tests.access.guarded import (
    CHEAP,
    HANDSHAKE,
    SLOW,
    USERS,
    Guarded,
    basic,
    cookie_of,
    guarded,
    until,
    write,
)
from tests.edges import edge, request


async def test_nobody_gets_in_without_a_password(labgate: Guarded) -> None:
    for fields in ((), (b"Authorization: token abc",), HANDSHAKE, (b"Cookie: a=b",)):
        answer = await labgate.ask(*fields)
        assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert b'\r\nWWW-Authenticate: Basic realm="Jupyter", charset="UTF-8"\r\n' in answer
    assert not labgate.jupyter.visits
    assert {record.outcome for record in labgate.labgate.records} == {"refused (basic-auth)"}


@pytest.mark.parametrize(("user", "password"), [("ada", "sesame"), ("böb", "barley")])
async def test_a_password_lets_in_and_stays_here(
    labgate: Guarded, user: str, password: str
) -> None:
    answer = await labgate.ask(basic(user, password), b"Cookie: a=1;b=2")
    assert answer.endswith(b"\r\n\r\nok")
    assert b"Cookie: a=1;b=2\r\n" in labgate.jupyter.heads
    assert b"authorization" not in labgate.jupyter.heads.lower()


@pytest.mark.parametrize(
    "authorization",
    [
        basic("ada", "barley"),
        basic("eve", "sesame"),
        basic("ADA", "sesame"),
        basic("ada", "sesame "),
        basic("ada", ""),
        b"Authorization: Basic",
        b"Authorization: Basic %%%",
    ],
)
async def test_wrong(labgate: Guarded, authorization: bytes) -> None:
    assert await labgate.status(authorization) == 401
    assert not labgate.jupyter.visits


async def test_what_cannot_be_right_is_not_hashed(labgate: Guarded) -> None:
    for value in (b"Basic", b"Basic %%%", b"Basic " + b"A" * 20_000, b"Basic YWRh"):
        assert await labgate.status(b"Authorization: " + value) == 401
    assert await labgate.status(basic(), basic()) == 401
    assert labgate.access_control.verifier.hashed == 0
    assert labgate.lockout.remaining_failures("127.0.0.1", time.monotonic()) == 10


async def test_an_unknown_user_is_hashed_like_a_known_one(labgate: Guarded) -> None:
    await labgate.status(basic("eve", "sesame"))
    assert labgate.access_control.verifier.hashed == 1


async def test_workers_remember_passwords_alike() -> None:
    given, same, own = (AccessControl(Lockout(1, 900.0), key=key) for key in (b"k", b"k", None))
    ada = BasicCredentials("ada", b"sesame")
    digests = [one.verifier.digest(ada, USERS) for one in (given, same, own)]
    assert digests[0] == digests[1] != digests[2]


async def test_a_password_beyond_72_octets(labgate: Guarded) -> None:
    assert await labgate.status(basic("ada", "x" * 100)) == 401


async def test_the_log_holds_no_secret(labgate: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    cookie = cookie_of(await labgate.ask(basic()))
    await labgate.ask(basic("ada", "open barley"))
    await labgate.ask(cookie)
    assert "refused 401 by rule basic-auth: Authorization" in caplog.text
    assert "basic-auth: ada logged in from 127.0.0.1" in caplog.text
    credentials = [basic(), basic("ada", "open barley"), cookie]
    for secret in [field.rpartition(b" ")[2].decode() for field in credentials] + [
        "sesame",
        "barley",
    ]:
        assert secret not in caplog.text


async def test_a_right_password_is_hashed_once(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic()) for _ in range(20)))
    assert set(statuses) == {200}
    assert await labgate.status(basic()) == 200
    assert labgate.access_control.verifier.hashed == 1


async def test_a_page_of_requests_with_an_old_password_is_one_failure(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic("ada", "old")) for _ in range(20)))
    assert set(statuses) == {401}
    assert await labgate.status(basic("ada", "old")) == 401
    assert labgate.access_control.verifier.hashed == 1
    assert labgate.lockout.remaining_failures("127.0.0.1", time.monotonic()) == 9


async def test_the_loop_goes_on_while_a_password_is_hashed(tmp_path: Path) -> None:
    async with guarded({"ada": SLOW.hash("sesame")}, tmp_path) as labgate:
        asking = asyncio.ensure_future(labgate.status(basic()))
        await until(lambda: labgate.access_control.verifier.hashed == 1)
        # Whole requests are served before this one hash, of about a second, is done.
        for _ in range(3):
            assert await labgate.status(target=b"/.labgate/health") == 200
        assert not asking.done()
        assert await asking == 200


async def test_who_hangs_up_has_tried_all_the_same(labgate: Guarded) -> None:
    labgate.count_with(Lockout(1, 900.0))
    _, writer = await labgate.labgate.connect()
    writer.write(request(b"/", basic("ada", "guess")))
    await until(lambda: labgate.access_control.verifier.hashed == 1)
    writer.transport.abort()
    await until(lambda: labgate.lockout.locked_out_seconds("127.0.0.1", time.monotonic()) > 0)
    assert await labgate.status(basic()) == 429


async def test_health_and_challenges_stay_open(labgate: Guarded) -> None:
    assert await labgate.status(target=b"/.labgate/health") == 200
    assert await labgate.status(target=b"/.labgate/ready") == 200
    assert await labgate.status(target=b"/.well-known/acme-challenge/abc") == 404


async def test_the_redirect_port_asks_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    write(file, USERS)
    async with edge(None, redirects=True) as labgate:
        labgate.router.protect(
            AccessControl(Lockout(1, 900.0), Htpasswd(file), Sessions(b"k" * 32))
        )
        for _ in range(3):
            assert (await labgate.ask(request(b"/", basic("ada", "x")))).startswith(b"HTTP/1.1 301")


async def test_other_checks_come_first(labgate: Guarded) -> None:
    assert await labgate.status(b"Origin: https://evil.example") == 403
    answer = await labgate.labgate.ask(b"GET / HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421")


async def test_a_changed_file_ends_sessions_and_passwords(labgate: Guarded) -> None:
    assert labgate.htpasswd is not None
    cookie = cookie_of(await labgate.ask(basic()))
    assert await labgate.status(cookie) == 200
    write(labgate.htpasswd._path, {**USERS, "ada": CHEAP.hash("another")})
    labgate.htpasswd.next_check = 0.0
    assert await labgate.status(cookie) == 401
    assert await labgate.status(basic()) == 401
    assert await labgate.status(basic("ada", "another")) == 200


async def test_a_removed_file_opens_nothing(labgate: Guarded) -> None:
    assert labgate.htpasswd is not None
    labgate.htpasswd._path.unlink()
    labgate.htpasswd.next_check = 0.0
    assert await labgate.status() == 401
    assert await labgate.status(basic()) == 200


async def test_changes_are_shown_by_their_rule(labgate: Guarded) -> None:
    await labgate.ask(basic())
    record = labgate.labgate.records[-1]
    assert [change.name for change in record.fields_up.changes if change.rule == "basic-auth"] == [
        b"Authorization"
    ]
    assert [change.name for change in record.changes_down if change.rule == "basic-auth"] == [
        b"Set-Cookie"
    ]

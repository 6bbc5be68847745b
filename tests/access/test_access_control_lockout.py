"""Failed logins over real sockets, labgate's and Jupyter's: who is delayed and shut out."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from proxy.access.access_control import AccessControl
from proxy.access.lockout import Lockout
from tests.access.guarded import (
    CHEAP,
    INVALID,
    LOGGED_IN,
    NO_XSRF,
    USERS,
    Guarded,
    basic,
    cookie_of,
    guarded,
)
from tests.edges import edge, request


async def test_failures_shut_an_address_out_but_no_session(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.count_with(Lockout(2, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    assert await labgate.status(basic("ada", "2")) == 401  # half a second later
    for password in ("3", "sesame"):
        answer = await labgate.ask(basic("ada", password))
        assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        seconds = re.search(rb"\r\nRetry-After: (\d+)\r\n", answer)
        assert seconds
        assert 890 <= int(seconds[1]) <= 900
        assert b"Too many failed logins from this address; try again in 15 minutes." in answer
    assert labgate.labgate.records[-1].outcome == "refused (lockout)"
    assert await labgate.status() == 401
    assert await labgate.status(cookie, basic("ada", "4")) == 200
    assert await labgate.log_in_to_jupyter() == 401  # no session, no password
    length = b"Content-Length: 0"
    assert await labgate.status(cookie, length, target=b"/login", method=b"POST") == 429


async def test_a_slowed_address_tries_one_at_a_time(labgate: Guarded) -> None:
    labgate.count_with(Lockout(3, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    started = time.monotonic()
    statuses = await asyncio.gather(*(labgate.status(basic("ada", f"x{n}")) for n in range(9)))
    assert sorted(statuses) == [401, *[429] * 8]
    assert time.monotonic() - started >= 0.5


async def test_a_flood_with_one_password_does_not_use_up_the_requests(labgate: Guarded) -> None:
    labgate.count_with(Lockout(3, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    statuses = await asyncio.gather(*(labgate.status(basic("ada", "2")) for _ in range(80)))
    # Those that wait for the one slowed attempt get its answer, and so do late comers.
    assert set(statuses) == {401, 429}
    assert statuses.count(429) <= 16
    assert labgate.access_control.verifier.hashed == 2


async def test_a_burst_of_guesses_is_not_all_hashed(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic("ada", f"x{n}")) for n in range(60)))
    assert set(statuses) == {401, 429}
    assert labgate.access_control.verifier.hashed <= 4  # three for free, and one beside the third


async def test_a_class_behind_one_address_logs_in_at_once(tmp_path: Path) -> None:
    pupils = {f"pupil{n}": CHEAP.hash(f"secret{n}") for n in range(30)}
    async with guarded(pupils, tmp_path) as labgate:
        statuses = await asyncio.gather(
            *(labgate.status(basic(f"pupil{n}", f"secret{n}")) for n in range(30))
        )
    assert set(statuses) == {200}


async def test_one_client_behind_a_trusted_proxy_does_not_shut_out_another(tmp_path: Path) -> None:
    async with guarded(USERS, tmp_path, trusted="127.0.0.1") as labgate:
        labgate.count_with(Lockout(1, 900.0))
        evil, good = b"X-Forwarded-For: 203.0.113.6", b"X-Forwarded-For: 203.0.113.7"
        assert await labgate.status(evil, basic("ada", "1")) == 401
        assert await labgate.status(evil, basic()) == 429
        # What the client says of itself is not believed.
        assert await labgate.status(b"X-Forwarded-For: 203.0.113.7, 203.0.113.6", basic()) == 429
        assert await labgate.status(good, basic()) == 200


async def test_jupyters_failed_logins_count(without_users: Guarded) -> None:
    labgate = without_users
    labgate.answering.answer = INVALID
    labgate.count_with(Lockout(2, 900.0))
    assert [await labgate.log_in_to_jupyter() for _ in range(3)] == [401, 401, 429]
    assert labgate.jupyter.heads.count(b"POST /login") == 2
    assert await labgate.status() == 401  # Jupyter's own answer: only logins are shut out


async def test_a_burst_of_logins_to_jupyter(without_users: Guarded) -> None:
    labgate = without_users
    labgate.answering.answer = INVALID
    labgate.count_with(Lockout(6, 900.0))
    statuses = await asyncio.gather(*(labgate.log_in_to_jupyter() for _ in range(30)))
    assert sorted(statuses) == [401] * 6 + [429] * 24
    assert labgate.jupyter.heads.count(b"POST /login") == 6


async def test_xsrf_and_success_are_no_failures(without_users: Guarded) -> None:
    labgate = without_users
    labgate.count_with(Lockout(2, 900.0))
    answers = [NO_XSRF] * 4 + [INVALID, LOGGED_IN] * 3
    for answer in answers:
        labgate.answering.answer = answer
        assert await labgate.log_in_to_jupyter() == int(answer[9:12])
    assert not labgate.lockout.locked_out_seconds("127.0.0.1", time.monotonic())


async def test_a_jupyter_that_is_down_is_no_failure(tmp_path: Path) -> None:
    async with edge(None) as labgate:
        labgate.router.protect(AccessControl(Lockout(1, 900.0)))
        for _ in range(3):
            head = request(b"/login", b"Content-Length: 0", method=b"POST")
            assert (await labgate.ask(head)).startswith(b"HTTP/1.1 503")


async def test_nothing_is_counted_with_zero(labgate: Guarded) -> None:
    labgate.count_with(Lockout(0, 900.0))
    for number in range(12):
        assert await labgate.status(basic("ada", f"x{number}")) == 401
    assert await labgate.status(basic()) == 200
    labgate.answering.answer = INVALID
    length = b"Content-Length: 0"
    for _ in range(12):
        assert await labgate.status(basic(), length, target=b"/login", method=b"POST") == 401

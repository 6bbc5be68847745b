"""labgate's own login, without a socket: who gets in, who is asked, and what the log says."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import bcrypt

from proxy.access.access_control import AccessControl
from proxy.access.allow import ALLOW, Allow
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.password_login import (
    MAX_CONCURRENT_LOGINS_PER_ADDRESS,
    MAX_WAITING_REQUESTS_PER_ADDRESS,
)
from proxy.access.password_verifier import MAX_WAITING_CHECKS
from proxy.access.refusals import BUSY, OVERLOADED
from proxy.access.revoked_sessions import Revocation
from proxy.access.session import RENEW_AFTER_SECONDS, Sessions
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, Field, RequestHead
from tests.heads import HOST, get

HERE = "203.0.113.7"
HASH = bcrypt.using(rounds=4).hash("sesame")
NAVIGATES = b"Sec-Fetch-Mode: navigate"
SUBRESOURCE = b"Sec-Fetch-Mode: cors"


def basic(password: str = "sesame", user: str = "ada") -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode())


class Door:
    """Access control with one user, and which sessions it has ended."""

    def __init__(self, folder: Path, most: int = 10) -> None:
        file = folder / "htpasswd"
        file.write_text(f"ada:{HASH}\n")
        file.chmod(0o600)
        self.htpasswd = Htpasswd(file)
        self.ended: list[Revocation] = []
        self.sessions = Sessions(b"k" * 32)
        self.lockout = Lockout(most, 900.0)
        self.access = AccessControl(
            self.lockout, self.htpasswd, self.sessions, b"k" * 32, self.revoke
        )

    async def revoke(self, revocation: Revocation) -> None:
        self.ended.append(revocation)

    async def ask(self, *lines: bytes) -> Allow | Refuse:
        """The answer to a request, whether it is given at once or later."""
        head = get(HOST, *lines)
        now = self.access.check_now(head)
        return await self.access.check(head) if now is None else now

    def remaining(self) -> int:
        return self.lockout.remaining_failures(HERE, time.monotonic())


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def cookie(field: Field) -> bytes:
    """The field that a browser sends back."""
    assert field[0] == b"Set-Cookie"
    return b"Cookie: " + field[1].partition(b";")[0]


async def log_in(door: Door) -> bytes:
    allowed = await door.ask(basic())
    assert isinstance(allowed, Allow)
    [field] = allowed.fields
    return cookie(field)


async def test_who_brings_nothing_is_asked_at_once(door: Door) -> None:
    for lines in ((), (b"Cookie: a=b",), (b"Authorization: token x",)):
        refusal = door.access.check_now(get(HOST, *lines))
        assert isinstance(refusal, Refuse)
        assert refusal.status == 401
        assert refusal.sentence == "Log in to come in here."


async def test_a_password_that_cannot_be_read_is_no_failure(door: Door) -> None:
    for lines in ((b"Authorization: Basic ?",), (basic(), basic())):
        refusal = await door.ask(*lines)
        assert isinstance(refusal, Refuse)
        assert refusal.sentence == "The user and password cannot be read; log in again."
    assert door.remaining() == 10


async def test_the_log_has_logins_and_logouts(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    session = await log_in(door)
    assert await door.ask(session) is ALLOW
    await door.access.log_out(get(HOST, session))
    assert caplog.messages == [
        "basic-auth: ada logged in from 203.0.113.7",
        "basic-auth: ada logged out from 203.0.113.7",
    ]


async def test_every_session_of_a_request_is_ended(door: Door) -> None:
    first, second = await log_in(door), await log_in(door)
    await door.access.log_out(get(HOST, first, b"Cookie: a=b", second))
    assert {ended.user for ended in door.ended} == {"ada"}
    assert len({ended.session for ended in door.ended}) == 2
    assert all(abs(ended.at - time.time()) < 60 for ended in door.ended)


async def test_a_session_ends_though_the_client_does_not_wait(door: Door) -> None:
    session = await log_in(door)
    slow = asyncio.Event()

    async def revoke(revocation: Revocation) -> None:
        await slow.wait()
        door.ended.append(revocation)

    access = AccessControl(door.lockout, door.htpasswd, door.sessions, revoke=revoke)
    leaving: Coroutine[Any, Any, Any] = access.log_out(get(HOST, session))
    task = asyncio.ensure_future(leaving)
    await asyncio.sleep(0)
    [ending] = [task for task in asyncio.all_tasks() if task.get_name() == "logout"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.set()
    await ending
    assert len(door.ended) == 1


async def test_without_sessions_or_without_their_end_a_password_is_enough(door: Door) -> None:
    for access in (
        AccessControl(door.lockout, door.htpasswd),
        AccessControl(door.lockout, door.htpasswd, door.sessions),
    ):
        head = get(HOST, basic(), await log_in(door))
        assert isinstance(await access.check(head), Allow)
        fields = await access.log_out(head)
        assert [name for name, _ in fields] == [b"WWW-Authenticate", b"Set-Cookie"]
    assert not door.ended


async def test_a_session_is_renewed_where_no_cache_stores_it(door: Door) -> None:
    old = time.time() - RENEW_AFTER_SECONDS - 60
    issued = cookie(door.sessions.issue("ada", HASH, old))
    first = door.sessions.find([issued[8:]], {"ada": HASH}, time.time())
    assert first is not None
    assert await door.ask(issued, SUBRESOURCE) is ALLOW
    for lines in ((), (NAVIGATES,)):
        allowed = await door.ask(issued, *lines)
        assert isinstance(allowed, Allow)
        [field] = allowed.fields
        renewed = door.sessions.find([cookie(field)[8:]], {"ada": HASH}, time.time())
        assert renewed is not None
        assert (renewed.user, renewed.name) == ("ada", first.name)
        assert renewed.issued > first.issued


async def test_a_password_gives_a_session_where_no_cache_stores_it(door: Door) -> None:
    assert await door.ask(basic(), SUBRESOURCE) is ALLOW
    assert await door.ask(await log_in(door)) is ALLOW


async def test_failures_lock_out_and_say_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(tmp_path, most=2)
    door.lockout.acquire("192.0.2.1")
    for password in ("a", "a"):
        refusal = await door.ask(basic(password))
        assert isinstance(refusal, Refuse)
        assert refusal.sentence == "The user or the password is wrong."
    assert door.remaining() == 1
    assert not caplog.messages
    refusal = await door.ask(basic("b", "eve"))
    assert isinstance(refusal, Refuse)
    assert refusal.status == 401
    for password in ("sesame", "c"):
        refusal = await door.ask(basic(password))
        assert isinstance(refusal, Refuse)
        assert refusal.status == 429
        assert refusal.fields[0][1] in (b"900", b"899")
    [line] = caplog.messages
    assert line.startswith("lockout: too many failed logins, 203.0.113.7 is shut out for ")
    assert line.endswith((" 900 s", " 899 s"))


async def test_a_wrong_password_of_labgates_begins_no_login_to_jupyter(door: Door) -> None:
    head = get(HOST, basic("x"), target=b"/login?token=x", method=b"POST")
    refusal = await door.access.check(head)
    assert isinstance(refusal, Refuse)
    assert refusal.status == 401
    assert door.remaining() == 9
    assert not door.lockout.is_busy(HERE, time.monotonic(), 1)


async def test_a_right_password_takes_its_users_failures_back(door: Door) -> None:
    await door.ask(basic("x"))
    await door.ask(basic("x", "eve"))
    assert door.remaining() == 8
    await log_in(door)
    assert door.remaining() == 9


def held(door: Door) -> None:
    """Let every check wait until ``free``."""
    door.access.verifier._slots._value = 0


async def free(door: Door) -> None:
    for _ in range(2):
        door.access.verifier._slots.release()


async def begin(door: Door, head: RequestHead) -> asyncio.Task[Allow | Refuse]:
    """A request that waits for its check."""
    task = asyncio.ensure_future(door.access.check(head))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_no_more_passwords_of_an_address_are_checked_at_once(tmp_path: Path) -> None:
    door = Door(tmp_path, most=3 * MAX_CONCURRENT_LOGINS_PER_ADDRESS + 3)
    held(door)
    waiting = [
        await begin(door, get(HOST, basic(f"x{number}")))
        for number in range(MAX_CONCURRENT_LOGINS_PER_ADDRESS)
    ]
    assert await door.ask(basic("another")) == BUSY
    await free(door)
    outcomes = await asyncio.gather(*waiting)
    assert all(isinstance(outcome, Refuse) and outcome.status == 401 for outcome in outcomes)
    assert isinstance(await door.ask(basic("another")), Refuse)
    assert door.access.verifier.hashed == MAX_CONCURRENT_LOGINS_PER_ADDRESS + 1


async def test_requests_with_one_password_share_one_check(door: Door) -> None:
    held(door)
    head = get(HOST, basic())
    waiting = [await begin(door, head) for _ in range(MAX_WAITING_REQUESTS_PER_ADDRESS)]
    assert await door.ask(basic()) == BUSY
    waiting.append(await begin(door, replace(head, arrival=Arrival("192.0.2.1"))))
    await free(door)
    assert all(isinstance(outcome, Allow) for outcome in await asyncio.gather(*waiting))
    assert door.access.verifier.hashed == 2, "one for each address"
    assert isinstance(await door.ask(basic()), Allow)
    assert door.access.verifier.hashed == 2


async def test_who_leaves_makes_room_for_one_other(door: Door) -> None:
    for number in range(2):
        held(door)
        head = get(HOST, basic(f"x{number}"))
        waiting = [await begin(door, head) for _ in range(MAX_WAITING_REQUESTS_PER_ADDRESS)]
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        waiting[0] = await begin(door, head)
        assert await door.access.check(head) == BUSY
        await free(door)
        await asyncio.gather(*waiting)


async def test_a_check_goes_on_when_its_client_leaves(door: Door) -> None:
    held(door)
    task = await begin(door, get(HOST, basic("x")))
    [check] = [task for task in asyncio.all_tasks() if task.get_name() == "login"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await free(door)
    await check
    assert door.remaining() == 9


async def test_a_crowd_gets_503_with_retry_after(door: Door) -> None:
    door.access.verifier._waiting = MAX_WAITING_CHECKS
    assert await door.ask(basic()) == OVERLOADED


async def test_what_failed_meanwhile_is_not_checked(tmp_path: Path) -> None:
    """Checks that wait are not free guesses: those before them may lock the address out."""
    door = Door(tmp_path, most=3)
    held(door)
    waiting = [await begin(door, get(HOST, basic(f"x{number}"))) for number in range(3)]
    door.access.verifier._slots.release()
    outcomes = await asyncio.gather(*waiting)
    assert [outcome.status for outcome in outcomes if isinstance(outcome, Refuse)] == [
        401,
        429,
        429,
    ]
    assert outcomes[1:] == [BUSY, BUSY], "the next one has to be delayed first"
    assert door.access.verifier.hashed == 1


async def test_who_is_locked_out_meanwhile_is_told_for_how_long(tmp_path: Path) -> None:
    door = Door(tmp_path, most=1)
    held(door)
    waiting = [await begin(door, get(HOST, basic(f"x{number}"))) for number in range(2)]
    door.access.verifier._slots.release()
    wrong, refused = await asyncio.gather(*waiting)
    assert isinstance(wrong, Refuse)
    assert wrong.status == 401
    assert isinstance(refused, Refuse)
    assert refused.status == 429
    assert refused.fields[0][1] in (b"900", b"899")
    assert door.access.verifier.hashed == 1


async def test_who_waited_is_locked_out_by_others_as_well(tmp_path: Path) -> None:
    door = Door(tmp_path, most=3)
    door.lockout.failed(HERE, "ada", "a", time.monotonic())
    held(door)
    waiting = await begin(door, get(HOST, basic()))
    for secret in ("b", "c"):
        door.lockout.failed(HERE, "ada", secret, time.monotonic())
    await free(door)
    outcome = await waiting
    assert isinstance(outcome, Refuse)
    assert outcome.status == 429
    assert door.access.verifier.hashed == 0

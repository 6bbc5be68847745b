"""Logins to Jupyter itself: how many run, and which count as failures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.allow import ALLOW, Allow, LoginAttempt
from proxy.access.jupyter_login import JupyterLogin
from proxy.access.lockout import Lockout
from proxy.access.refusals import BUSY
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead
from tests.heads import HOST, SITE, answered, get

HERE = "203.0.113.7"
FORM = get(HOST, target=b"/login?next=%2Flab?x", method=b"POST")
SET_BEFORE: Allow = Allow(((b"Set-Cookie", b"a=b"),))


class Logins:
    """Logins to one Jupyter, and who was locked out for them."""

    def __init__(self, most: int = 10) -> None:
        self.lockout = Lockout(most, 900.0)
        self.locked_out: list[str] = []
        self.logins = JupyterLogin(self.lockout, self.locked_out.append, b"k" * 32)

    async def begin(self, head: RequestHead = FORM, allowed: Allow = ALLOW) -> LoginAttempt:
        """A login that Jupyter checks now."""
        assert self.logins.check_now(head, allowed) is None, "it may have to wait"
        outcome = await self.logins.check(head, allowed)
        assert isinstance(outcome, Allow), outcome
        assert outcome.attempt is not None
        assert outcome.fields == allowed.fields
        return outcome.attempt

    def remaining(self) -> int:
        return self.lockout.remaining_failures(HERE, time.monotonic())

    def running(self) -> bool:
        return self.lockout.is_busy(HERE, time.monotonic(), 1)


LOGINS = [
    (b"POST", b"/login", True),
    (b"POST", b"/user/ada/login?next=x", True),
    (b"POST", b"/login?a?b", True),
    (b"POST", b"/logins", False),
    (b"POST", b"/lab?next=/login", False),
    (b"GET", b"/login", False),
    (b"PUT", b"/login", False),
]


@pytest.mark.parametrize(("method", "target", "is_login"), LOGINS)
def test_what_is_a_login(method: bytes, target: bytes, is_login: bool) -> None:
    head = get(HOST, method=method, target=target)
    allowed = Logins().logins.check_now(head, SET_BEFORE)
    assert allowed is (None if is_login else SET_BEFORE)


async def test_an_attempt_knows_its_network_and_its_path() -> None:
    attempt = await Logins().begin(replace(FORM, arrival=Arrival("2001:db8::1")), SET_BEFORE)
    assert (attempt.address, attempt.login) == ("2001:db8::/64", b"/login")
    assert attempt.token_attempt is None


OUTCOMES = [
    (401, 8),
    (0, 8),  # the client left
    (302, 10),  # and the failure before is taken back
    (303, 10),
    (403, 9),  # XSRF
    (200, 9),
    (503, 9),
]


@pytest.mark.parametrize(("status", "remaining"), OUTCOMES)
async def test_what_the_status_says_of_the_password(status: int, remaining: int) -> None:
    jupyter = Logins()
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    assert jupyter.remaining() == 9
    attempt = await jupyter.begin()
    assert jupyter.running()
    jupyter.logins.on_response_end(attempt, status)
    assert jupyter.remaining() == remaining
    assert not jupyter.running()
    assert not jupyter.locked_out


async def test_a_login_of_another_application_takes_no_failure_back() -> None:
    jupyter = Logins()
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    other = replace(FORM, target=b"/proxy/5000/login")
    jupyter.logins.on_response_end(await jupyter.begin(other), 302)
    assert jupyter.remaining() == 9


async def test_failed_logins_lock_their_address_out() -> None:
    jupyter = Logins(1)
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    assert jupyter.locked_out == [HERE]
    refusal = await jupyter.logins.check(FORM, ALLOW)
    assert isinstance(refusal, Refuse)
    assert refusal.status == 429
    assert refusal.fields == ((b"Retry-After", b"900"),)


async def test_a_login_that_is_locked_out_does_not_have_its_token_tried() -> None:
    jupyter = Logins(1)
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    refusal = await jupyter.logins.check(bringing("x", b"POST"), ALLOW)
    assert isinstance(refusal, Refuse)
    assert refusal.status == 429


async def test_a_login_that_is_locked_out_while_it_waits_goes_on_without_its_token() -> None:
    jupyter = Logins(3)
    jupyter.lockout.failed(HERE, "ada", "a", time.monotonic())
    head = replace(FORM, fields=get(HOST, b"Cookie: a=b", b"Authorization: token x").fields)
    login = asyncio.ensure_future(jupyter.logins.check(head, ALLOW))
    await asyncio.sleep(0)
    for secret in "bc":
        jupyter.lockout.failed(HERE, "ada", secret, time.monotonic())
    allowed = await login
    assert isinstance(allowed, Allow)
    assert allowed.head == replace(FORM, fields=get(HOST, b"Cookie: a=b").fields)
    assert allowed.attempt is not None
    jupyter.logins.on_response_end(allowed.attempt, 401)
    assert not jupyter.running()


async def test_no_more_run_at_once_than_failures_are_left() -> None:
    jupyter = Logins(2)
    attempts = [await jupyter.begin(), await jupyter.begin()]
    assert await jupyter.logins.check(FORM, ALLOW) == BUSY
    jupyter.logins.on_response_end(attempts[0], 403)
    await jupyter.begin()


async def test_every_failure_leaves_room_for_one_less() -> None:
    jupyter = Logins(6)
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    for _ in range(5):
        await jupyter.begin()
    assert await jupyter.logins.check(FORM, ALLOW) == BUSY


async def test_who_leaves_while_a_login_is_delayed_takes_no_room() -> None:
    jupyter = Logins(3)
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    login = asyncio.ensure_future(jupyter.logins.check(FORM, ALLOW))
    while not jupyter.running():  # noqa: ASYNC110  no event says so
        await asyncio.sleep(0)
    assert await jupyter.logins.check(FORM, ALLOW) == BUSY, "one at a time now"
    for _ in range(5):
        await asyncio.sleep(0)
    assert not login.done(), "it waits"
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    assert not jupyter.running()


def bringing(token: str, method: bytes = b"GET") -> RequestHead:
    path = b"/login" if method == b"POST" else b"/lab"
    return get(HOST, target=path + f"?token={token}".encode(), method=method)


def test_a_token_counts_by_the_head_of_the_response() -> None:
    jupyter = Logins()
    for head in (bringing("x"), get(HOST, b"Authorization: token y")):
        allowed = jupyter.logins.check_now(head, SET_BEFORE)
        assert isinstance(allowed, Allow)
        assert allowed.fields == SET_BEFORE.fields
        assert allowed.attempt is not None
        assert (allowed.attempt.address, allowed.attempt.login) == (HERE, b"")
        jupyter.logins.on_response_head(allowed.attempt, SITE, answered(status=403))
        jupyter.logins.on_response_end(allowed.attempt, 403)
    assert jupyter.remaining() == 8
    assert not jupyter.locked_out


def test_a_token_whose_client_leaves_counts() -> None:
    jupyter = Logins(1)
    allowed = jupyter.logins.check_now(bringing("x"), ALLOW)
    assert isinstance(allowed, Allow)
    assert allowed.attempt is not None
    jupyter.logins.on_response_end(allowed.attempt, 0)
    assert jupyter.locked_out == [HERE]


async def test_a_login_with_a_token_counts_for_both() -> None:
    jupyter = Logins()
    attempt = await jupyter.begin(bringing("x", b"POST"))
    assert attempt.token_attempt is not None
    jupyter.logins.on_response_head(attempt, SITE, answered(status=401))
    jupyter.logins.on_response_end(attempt, 401)
    assert jupyter.remaining() == 8


async def test_a_login_whose_token_is_refused_takes_no_room() -> None:
    jupyter = Logins(2)
    tried = [jupyter.logins.check_now(bringing(token), ALLOW) for token in "ab"]
    assert all(isinstance(allowed, Allow) for allowed in tried)
    assert await jupyter.logins.check(bringing("c", b"POST"), ALLOW) == BUSY
    assert not jupyter.running()


async def test_while_an_address_is_locked_out_a_login_goes_on_without_the_token() -> None:
    jupyter = Logins(1)
    jupyter.logins.on_response_end(await jupyter.begin(), 401)
    head = get(HOST, b"Cookie: a=b", b"Authorization: token x")
    allowed = jupyter.logins.check_now(head, SET_BEFORE)
    assert allowed == Allow(SET_BEFORE.fields, None, get(HOST, b"Cookie: a=b"))
    refused = jupyter.logins.check_now(bringing("x"), ALLOW)
    assert isinstance(refused, Refuse)


def test_the_same_token_is_the_same_to_all_workers() -> None:
    digests = []
    for _ in range(2):
        worker = AccessControl(Lockout(10, 900.0), key=b"k" * 32)
        allowed = worker.check_now(bringing("x"))
        assert isinstance(allowed, Allow)
        assert allowed.attempt is not None
        assert allowed.attempt.token_attempt is not None
        digests.append(allowed.attempt.token_attempt.digest)
    assert digests[0] == digests[1]


async def test_guesses_before_and_after_a_reload_are_different_ones() -> None:
    """The lockout stays, and what counts logins is made anew."""
    before = Logins()
    before.logins.on_response_end(await before.begin(), 401)
    after = Logins()
    after.lockout = before.lockout
    after.logins = JupyterLogin(before.lockout, after.locked_out.append, b"k" * 32)
    after.logins.on_response_end(await after.begin(), 401)
    assert after.remaining() == 8

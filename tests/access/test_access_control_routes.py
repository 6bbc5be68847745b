"""Several Jupyters, each a route with its own access control, count with one lockout."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from passlib.hash import bcrypt

from proxy.access.access_control import AccessControl
from proxy.access.allow import Allow
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival
from tests.access.guarded import basic, write
from tests.heads import HOST, get

HERE = "203.0.113.7"
FORM = get(HOST, target=b"/login", method=b"POST")
GUESS = get(HOST, target=b"/lab?token=guess")


async def test_a_user_of_two_routes_is_an_account_at_each(tmp_path: Path) -> None:
    lockout = Lockout(10, 900.0)
    file = tmp_path / "htpasswd"
    write(file, {"ada": bcrypt.using(rounds=4).hash("sesame")})
    only = AccessControl(lockout, Htpasswd(file))
    other = AccessControl(lockout, Htpasswd(file), name="other")
    for access in (only, other):
        assert isinstance(await access.check(get(HOST, basic("ada", "wrong"))), Refuse)
    assert [update["account"] for update in lockout.updates()] == ["text:ada", "text:other ada"]
    assert isinstance(await other.check(get(HOST, basic("ada", "sesame"))), Allow)
    assert [update["account"] for update in lockout.updates()] == ["text:ada"]


async def log_in_to_jupyter(access: AccessControl, status: int) -> None:
    """A login that Jupyter answers with this status."""
    allowed = await access.check(FORM)
    assert isinstance(allowed, Allow)
    assert allowed.attempt is not None
    access.on_response_end(allowed.attempt, status)


async def test_a_login_to_one_jupyter_takes_no_failure_at_another_back() -> None:
    lockout = Lockout(10, 900.0)
    first, second = AccessControl(lockout), AccessControl(lockout, name="second")
    for access in (first, second):
        await log_in_to_jupyter(access, 401)
    await log_in_to_jupyter(second, 302)
    assert lockout.remaining_failures(HERE, time.monotonic()) == 9
    await log_in_to_jupyter(first, 302)
    assert lockout.remaining_failures(HERE, time.monotonic()) == 10


def test_the_lockouts_of_all_routes_are_counted() -> None:
    lockout = Lockout(1, 900.0)
    for number in range(2):
        access = AccessControl(lockout, name=f"route {number}")
        allowed = access.check_now(replace(GUESS, arrival=Arrival(f"192.0.2.{number}")))
        assert isinstance(allowed, Allow)
        assert allowed.attempt is not None
        access.on_response_end(allowed.attempt, 0)
    assert lockout.caused == 2

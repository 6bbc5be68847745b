"""Access control in front of Jupyter: what it is asked, and what it is told of the response."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.allow import Allow, LoginAttempt
from proxy.access.lockout import Lockout
from proxy.observe.record import Observers
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.router import Router
from proxy.rules.head import RequestHead
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import proxying
from tests.upstreams import OK, says

TOKEN = (b"Authorization", b"token x")
PEER = "203.0.113.7"
WRONG = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
RIGHT = b"HTTP/1.1 302 Found\r\nLocation: /lab\r\nContent-Length: 0\r\n\r\n"


def remaining(lockout: Lockout) -> int:
    return lockout.remaining_failures(PEER, time.monotonic())


def protect(dispatcher: Dispatcher, access_control: AccessControl) -> None:
    router = dispatcher.services.router
    assert isinstance(router, Router)
    router.protect(access_control)


async def test_a_wrong_token_is_counted() -> None:
    lockout = Lockout(10, 900.0)
    async with proxying(says(WRONG)) as (dispatcher, _, records):
        protect(dispatcher, AccessControl(lockout))
        client = MemoryFront(TOKEN)
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert client.statuses == [401]
    assert records[0].outcome == "forwarded"
    assert remaining(lockout) == 9


@pytest.mark.parametrize(("answer", "left"), [(WRONG, 8), (RIGHT, 10)])
async def test_a_login_waits_for_its_turn_and_is_counted(answer: bytes, left: int) -> None:
    lockout = Lockout(10, 900.0)
    lockout.failed(PEER, b"/login", "x", time.monotonic())
    async with proxying(says(answer)) as (dispatcher, jupyter, records):
        protect(dispatcher, AccessControl(lockout))
        client = MemoryFront(method=b"POST")
        client.head = replace(client.head, target=b"/login")
        client.ask(dispatcher)
        assert not client.statuses, "its turn comes later"
        assert await client.ended == "complete"
        assert jupyter.heads.startswith(b"POST /login HTTP/1.1\r\n")
    assert records[0].outcome == "forwarded"
    assert remaining(lockout) == left


async def test_a_request_without_a_secret_is_not_counted() -> None:
    lockout = Lockout(1, 900.0)
    async with proxying(says(WRONG)) as (dispatcher, _, _):
        protect(dispatcher, AccessControl(lockout))
        client = MemoryFront()
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert remaining(lockout) == 1


async def test_who_listens_for_heads_changes_nothing_for_access_control() -> None:
    statuses: list[int] = []
    async with proxying(says(WRONG)) as (dispatcher, _, _):
        heads = (lambda record: statuses.append(record.status),)
        dispatcher.services.observers = Observers(head=heads)
        protect(dispatcher, AccessControl(Lockout(1, 900.0)))
        client = MemoryFront()
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert statuses == client.statuses == [401]


class Faulty:
    """Access control with a fault of ours, in the check that takes longer."""

    def check_now(self, head: RequestHead) -> None:
        return None

    def check(self, head: RequestHead) -> Coroutine[Any, Any, None]:
        raise ZeroDivisionError


class FaultyAtOnce:
    """Access control with a fault of ours, before anything waits."""

    def check_now(self, head: RequestHead) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("faulty", [Faulty(), FaultyAtOnce()])
async def test_a_fault_of_ours_is_the_responders_to_end(faulty: Faulty | FaultyAtOnce) -> None:
    async with proxying(says(WRONG)) as (dispatcher, jupyter, records):
        protect(dispatcher, cast(AccessControl, faulty))
        client = MemoryFront()
        client.ask(dispatcher)
        with pytest.raises(ZeroDivisionError):
            await client.ended
        assert not jupyter.visits
    assert len(records) == 1
    assert dispatcher.services.open_requests.count == 0


class FaultyAtTheEnd:
    """Access control with a fault of ours, when it hears of the response's end."""

    def check_now(self, head: RequestHead) -> Allow:
        return Allow(attempt=cast(LoginAttempt, object()))

    def on_response_head(self, *_: object) -> None:
        return None

    def on_response_end(self, *_: object) -> None:
        raise ZeroDivisionError


async def test_a_fault_at_the_end_leaves_no_request_counted() -> None:
    """A drain would wait for it."""
    async with proxying(says(OK)) as (dispatcher, _, _):
        protect(dispatcher, cast(AccessControl, FaultyAtTheEnd()))
        client = MemoryFront()
        client.ask(dispatcher)
        with suppress(ZeroDivisionError):
            await client.ended
        assert client.statuses == [200]
        assert dispatcher.services.open_requests.count == 0

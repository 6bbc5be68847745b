"""Which idle connection is taken, which ones are closed, and when that is looked at again."""

from __future__ import annotations

import errno
import socket

import pytest

from proxy.proxying.pool_rules import IdleLimits, may_have_ended, next_check, to_close, to_take

LIMITS = IdleLimits(connections=2, seconds=30.0)
NOW = 100.0

TAKEN = [
    pytest.param({}, None, id="none is idle"),
    pytest.param({"a": 90.0}, "a", id="one is"),
    pytest.param({"a": 80.0, "b": 90.0}, "b", id="the one used last"),
    pytest.param({"a": 70.5}, "a", id="it is almost too old"),
    pytest.param({"a": 70.0}, None, id="it is too old"),
    pytest.param({"a": 60.0, "b": 70.0}, None, id="each is too old"),
    pytest.param({"a": 60.0, "b": 71.0}, "b", id="another one is too old"),
]


@pytest.mark.parametrize(("idle", "taken"), TAKEN)
def test_which_one_a_request_takes(idle: dict[str, float], taken: str | None) -> None:
    assert to_take(idle, NOW, LIMITS) == taken


CLOSED = [
    pytest.param({}, "", id="none is idle"),
    pytest.param({"a": 70.5, "b": 90.0}, "", id="young and few"),
    pytest.param({"a": 70.0, "b": 90.0}, "a", id="one is too old"),
    pytest.param({"a": 60.0, "b": 70.0}, "ab", id="each is too old"),
    pytest.param({"a": 80.0, "b": 90.0, "c": 99.0}, "a", id="the oldest is one too many"),
    pytest.param({"a": 80.0, "b": 85.0, "c": 90.0, "d": 99.0}, "ab", id="two too many"),
    pytest.param({"a": 60.0, "b": 90.0, "c": 99.0}, "a", id="what is too old is no surplus"),
    pytest.param({"a": 60.0, "b": 65.0, "c": 99.0}, "ab", id="more are too old than too many"),
]


@pytest.mark.parametrize(("idle", "closed"), CLOSED)
def test_which_ones_are_closed(idle: dict[str, float], closed: str) -> None:
    assert to_close(idle, NOW, LIMITS) == list(closed)


@pytest.mark.parametrize("connections", [0, 1])
def test_no_more_stay_than_are_allowed(connections: int) -> None:
    closed = to_close({"a": 99.0, "b": NOW}, NOW, IdleLimits(connections, 30.0))
    assert closed == ["a", "b"][: 2 - connections]


CHECKED = [
    pytest.param({}, None, id="none is idle"),
    pytest.param({"a": 90.0}, 120.0, id="one is"),
    pytest.param({"a": 80.0, "b": 90.0}, 110.0, id="the oldest counts"),
]


@pytest.mark.parametrize(("idle", "at"), CHECKED)
def test_when_to_look_again(idle: dict[str, float], at: float | None) -> None:
    assert next_check(idle, LIMITS) == at


def test_at_that_time_one_is_too_old() -> None:
    idle = {"a": 80.0, "b": 90.0}
    at = next_check(idle, LIMITS)
    assert at is not None
    assert to_close(idle, at, LIMITS) == ["a"]
    assert not to_close(idle, at - 0.001, LIMITS)


ERRORS = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
    (OSError(errno.EHOSTUNREACH, "no route"), True),
    (FileNotFoundError(errno.ENOENT, "no socket"), True),
    (TimeoutError(), True),
    (OSError("Multiple exceptions: refused twice"), True),
    *((OSError(code, "here"), False) for code in (errno.EMFILE, errno.ENFILE)),
    *((OSError(code, "here"), False) for code in (errno.ENOBUFS, errno.ENOMEM)),
    (OSError(errno.EADDRNOTAVAIL, "no port"), False),
    (BlockingIOError(errno.EAGAIN, "a full backlog"), False),
    (socket.gaierror(socket.EAI_NONAME, "not known"), False),
]


@pytest.mark.parametrize(("error", "ended"), ERRORS, ids=repr)
def test_whether_the_upstream_may_have_ended(error: OSError, ended: bool) -> None:
    assert may_have_ended(error) is ended

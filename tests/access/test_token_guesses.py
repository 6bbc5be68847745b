"""Tokens of Jupyter: which are tried, and which count as failures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.access import token_guesses
from proxy.access.lockout import Lockout
from proxy.access.refusals import BUSY
from proxy.access.token_guesses import (
    MAX_REMEMBERED_TOKENS,
    REMEMBER_TOKEN_SECONDS,
    TokenAttempt,
    TokenGuesses,
)
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead
from tests.heads import HOST, SITE, answered, get

HERE = "203.0.113.7"
LOGIN = b"username-127-0-0-1-8888"
RIGHT = answered(b"Set-Cookie: " + LOGIN + b"=x")
WRONG = answered(status=403)
SAYS_NOTHING = answered(status=500)


def bringing(token: str, *lines: bytes) -> RequestHead:
    return get(HOST, *lines, target=f"/lab?token={token}".encode())


class Clock:
    """Minutes pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Guesses:
    """Guesses at one Jupyter, and who was locked out for them."""

    def __init__(self, most: int, clock: Clock) -> None:
        self.clock = clock
        self.lockout = Lockout(most, 900.0)
        self.locked_out: list[str] = []
        self.guesses = TokenGuesses(self.lockout, self.locked_out.append, b"k" * 32)

    def start(self, token: str) -> TokenAttempt:
        started = self.guesses.start(bringing(token))
        assert isinstance(started, TokenAttempt), started
        return started

    def is_remembered(self, token: str) -> bool:
        started = self.guesses.start(bringing(token))
        if isinstance(started, TokenAttempt):
            self.guesses.on_no_response(started, 503)
        return started is None

    def failures(self) -> int:
        return 10 - self.lockout.remaining_failures(HERE, self.clock.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    # Nobody waits for five minutes.
    monkeypatch.setattr(token_guesses, "monotonic", clock)
    return clock


@pytest.fixture
def jupyter(clock: Clock) -> Guesses:
    return Guesses(10, clock)


def test_a_request_without_a_token_is_none_of_this(jupyter: Guesses) -> None:
    assert jupyter.guesses.start(get(HOST)) is None
    assert Guesses(0, jupyter.clock).guesses.start(bringing("x")) is None, "no failures are counted"


def test_an_attempt_knows_its_network_and_no_token() -> None:
    head = replace(bringing("secret"), arrival=Arrival("2001:db8::1"))
    first = TokenGuesses(Lockout(10, 900.0), print, b"k" * 32).start(head)
    assert isinstance(first, TokenAttempt)
    assert (first.address, first.head) == ("2001:db8::/64", head)
    assert b"secret" not in first.digest
    again = TokenGuesses(Lockout(10, 900.0), print, b"k" * 32).start(head)
    assert isinstance(again, TokenAttempt)
    assert again.digest == first.digest, "every worker counts it as the same"
    other_key = TokenGuesses(Lockout(10, 900.0), print).start(head)
    assert isinstance(other_key, TokenAttempt)
    assert other_key.digest != first.digest


def test_wrong_tokens_lock_their_address_out(jupyter: Guesses) -> None:
    for number in range(9):
        jupyter.guesses.on_response(jupyter.start(f"x{number}"), WRONG, SITE)
        jupyter.guesses.on_response(jupyter.start(f"x{number}"), WRONG, SITE)
    assert jupyter.failures() == 9
    assert not jupyter.locked_out
    jupyter.guesses.on_response(jupyter.start("x9"), WRONG, SITE)
    assert jupyter.locked_out == [HERE]
    refusal = jupyter.guesses.start(bringing("x"))
    assert isinstance(refusal, Refuse)
    assert refusal.status == 429
    assert refusal.fields == ((b"Retry-After", b"900"),)


def test_a_response_that_says_nothing_of_the_token_counts_for_nothing(jupyter: Guesses) -> None:
    jupyter.guesses.on_response(jupyter.start("x"), SAYS_NOTHING, SITE)
    assert jupyter.failures() == 0
    assert not jupyter.is_remembered("x")


def test_a_client_that_leaves_has_tried(jupyter: Guesses) -> None:
    jupyter.guesses.on_no_response(jupyter.start("x"), 503)
    assert jupyter.failures() == 0
    jupyter.guesses.on_no_response(jupyter.start("x"), 0)
    assert jupyter.failures() == 1
    jupyter.guesses.on_response(jupyter.start("x"), WRONG, SITE)
    assert jupyter.failures() == 1, "the same token"


def test_no_more_are_tried_than_failures_are_left(clock: Clock) -> None:
    jupyter = Guesses(3, clock)
    first, second, third = (jupyter.start(token) for token in "abc")
    again = jupyter.start("a")
    assert jupyter.guesses.start(bringing("d")) == BUSY
    # It has failed without a try, so one less is left.
    jupyter.guesses.on_response(second, SAYS_NOTHING, SITE)
    assert jupyter.guesses.start(bringing("e")) == BUSY
    jupyter.guesses.on_response(third, SAYS_NOTHING, SITE)
    jupyter.guesses.on_response(first, SAYS_NOTHING, SITE)
    assert jupyter.lockout.remaining_failures(HERE, clock.now) == 1
    assert not jupyter.locked_out
    assert jupyter.start("a").digest == again.digest, "it is tried already"


def test_the_last_of_several_failures_locks_out_though_none_was_tried(clock: Clock) -> None:
    jupyter = Guesses(1, clock)
    jupyter.start("a")
    assert jupyter.guesses.start(bringing("b")) == BUSY
    assert jupyter.locked_out == [HERE]


def test_an_attempt_that_has_ended_takes_no_room(clock: Clock) -> None:
    jupyter = Guesses(1, clock)
    for token in "abcdef":
        attempts = [jupyter.start(token) for _ in range(3)]
        for attempt in attempts:
            jupyter.guesses.on_no_response(attempt, 503)


def test_a_right_token_is_remembered_while_it_is_used(jupyter: Guesses, clock: Clock) -> None:
    jupyter.guesses.on_response(jupyter.start("x"), RIGHT, SITE)
    for _ in range(3):
        clock.now += REMEMBER_TOKEN_SECONDS - 1
        assert jupyter.is_remembered("x")
    clock.now += REMEMBER_TOKEN_SECONDS
    assert not jupyter.is_remembered("x")
    assert not jupyter.is_remembered("x")


def test_a_right_token_takes_its_failure_back(jupyter: Guesses) -> None:
    jupyter.guesses.on_no_response(jupyter.start("other"), 0)
    jupyter.guesses.on_no_response(jupyter.start("x"), 0)
    assert jupyter.failures() == 2
    jupyter.guesses.on_response(jupyter.start("x"), RIGHT, SITE)
    assert jupyter.failures() == 1


def test_a_token_that_jupyter_no_longer_accepts_is_forgotten(jupyter: Guesses) -> None:
    first, second = jupyter.start("x"), jupyter.start("x")
    jupyter.guesses.on_response(first, RIGHT, SITE)
    assert jupyter.is_remembered("x")
    jupyter.guesses.on_response(second, WRONG, SITE)
    assert not jupyter.is_remembered("x")


def test_the_token_that_was_used_longest_ago_is_forgotten_first(jupyter: Guesses) -> None:
    for number in range(MAX_REMEMBERED_TOKENS):
        jupyter.guesses.on_response(jupyter.start(f"x{number}"), RIGHT, SITE)
    assert jupyter.is_remembered("x0")
    jupyter.guesses.on_response(jupyter.start("one more"), RIGHT, SITE)
    assert jupyter.is_remembered("x0")
    assert jupyter.is_remembered("one more")
    assert not jupyter.is_remembered("x1")
    assert jupyter.is_remembered("x2")


COOKIE = b"Cookie: " + LOGIN + b"=valid"
TOKEN = b"Authorization: token x"


def test_a_login_works_on_while_its_address_is_locked_out(clock: Clock) -> None:
    jupyter = Guesses(1, clock)
    jupyter.guesses.on_no_response(jupyter.start("x"), 0)
    forwarded = jupyter.guesses.start(get(HOST, COOKIE, TOKEN, b"Authorization: Basic y"))
    assert forwarded == get(HOST, COOKIE, b"Authorization: Basic y")
    for refused in (get(HOST, TOKEN), bringing("x", COOKIE), bringing("x", COOKIE, TOKEN)):
        assert isinstance(jupyter.guesses.start(refused), Refuse)

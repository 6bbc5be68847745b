"""What a client is told that may not come in now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.access.refusals import BASIC_CHALLENGE, challenge, too_many_failures, wrong_password
from proxy.rules.decision import Refuse
from tests.heads import HOST, get

WAITS = [
    (0.2, b"1", "1 second"),
    (1.0, b"1", "1 second"),
    (1.5, b"2", "2 seconds"),
    (90.0, b"90", "90 seconds"),
    (90.5, b"91", "2 minutes"),
    (120.0, b"120", "2 minutes"),
    (120.5, b"121", "3 minutes"),
]


@pytest.mark.parametrize(("seconds", "retry_after", "wait"), WAITS)
def test_people_and_programs_learn_how_long_to_wait(
    seconds: float, retry_after: bytes, wait: str
) -> None:
    sentence = f"Too many failed logins from this address; try again in {wait}."
    fields = ((b"Retry-After", retry_after),)
    assert too_many_failures(seconds) == Refuse(429, "lockout", sentence, fields=fields)


CREDENTIALS = [
    ((), None),
    ((b"Authorization: Basic x",), b"Basic x"),
    ((b"Authorization: Basic x", b"authorization: token y"), b"Basic x, token y"),
]


@pytest.mark.parametrize(("lines", "shown"), CREDENTIALS)
def test_a_browser_is_asked_for_a_password(lines: tuple[bytes, ...], shown: bytes | None) -> None:
    head = get(HOST, *lines)
    refusal = challenge(head, "Log in.")
    assert refusal == Refuse(
        401, "basic-auth", "Log in.", "Authorization", shown, fields=(BASIC_CHALLENGE,)
    )
    wrong = wrong_password(head)
    assert replace(wrong, sentence="Log in.") == refusal
    assert wrong.sentence == "The user or the password is wrong."

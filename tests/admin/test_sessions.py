"""Browsers that came with the token."""

from __future__ import annotations

from proxy.admin.sessions import MAX_SESSIONS, Sessions


def test_only_the_token_opens_a_session() -> None:
    sessions = Sessions()
    assert sessions.open("wrong") is None
    session = sessions.open(sessions.token)
    assert session is not None
    assert sessions.find(session.identifier) is session
    assert sessions.find("") is None
    assert len({session.identifier, session.csrf_token, sessions.token}) == 3


def test_the_oldest_of_too_many_ends() -> None:
    sessions = Sessions()
    opened = [sessions.open(sessions.token) for _ in range(MAX_SESSIONS + 1)]
    known = [one for one in opened if one is not None and sessions.find(one.identifier)]
    assert known == opened[1:]

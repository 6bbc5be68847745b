"""Browsers that came with the token."""

from __future__ import annotations

import pytest

from proxy.admin.sessions import AdminSession, AdminSessions


def opened(sessions: AdminSessions) -> AdminSession:
    session = sessions.open(sessions.token)
    assert session is not None
    return session


def test_only_the_token_opens_a_session() -> None:
    sessions = AdminSessions()
    assert sessions.open("wrong") is None
    assert sessions.open("") is None
    session = opened(sessions)
    assert sessions.find(session.cookie) == session
    assert opened(sessions) != session
    assert len({session.cookie, session.csrf_token, sessions.token}) == 3


@pytest.mark.parametrize("cookie", ["", ".", "a", "a.b", "\udcff.x", "{0}x", "x{0}"])
def test_no_other_cookie_is_a_session(cookie: str) -> None:
    sessions = AdminSessions()
    assert sessions.find(cookie.format(opened(sessions).cookie)) is None


def test_with_the_same_key_a_session_goes_on() -> None:
    session = opened(AdminSessions("key"))
    assert AdminSessions("key").find(session.cookie) == session
    assert AdminSessions("key").token == AdminSessions("key").token
    for other in (AdminSessions("other"), AdminSessions()):
        assert other.find(session.cookie) is None
        assert other.token != AdminSessions("key").token

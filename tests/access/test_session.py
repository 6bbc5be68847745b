"""The cookie: only what we issued, for whom the file still knows, for as long as it lasts."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from proxy.access.revoked_sessions import Revocation, RevokedSessions
from proxy.access.session import (
    CLOCK_SKEW_SECONDS,
    KEY_BYTES,
    KEY_FILE,
    RENEW_AFTER_SECONDS,
    SESSION_LIFETIME_SECONDS,
    Session,
    Sessions,
    session_key,
)

NOW = 1_800_000_000.0
NAME = b"0123456789abcdef"
USERS = {
    "ada": "$2b$04$hash-of-ada",
    "böb.c": "$apr1$hash-of-bob",
    "a": "$2b$04$hash-of-a",
    "ab": "$2b$04$hash-of-ab",
    "abW": "$2b$04$hash-of-abW",  # YWJX in base64
    "x" * 5000: "$2b$04$hash-of-x",
}
SESSIONS = Sessions(b"k" * KEY_BYTES)


def cookie(user: str = "ada", sessions: Sessions = SESSIONS) -> bytes:
    """What a browser sends back."""
    name, value = sessions.issue(user, USERS[user], NOW)
    assert name == b"Set-Cookie"
    pair, *attributes = value.split(b"; ")
    assert attributes == [b"Path=/", b"Secure", b"HttpOnly", b"SameSite=Lax"]
    return pair


@pytest.mark.parametrize("user", list(USERS))
def test_what_was_issued_is_valid(user: str) -> None:
    fields = [b"a=1", b"b=2; " + cookie(user) + b"; c=3"]
    for _ in range(2):  # the second time it is remembered
        found = SESSIONS.find(fields, USERS, NOW)
        assert found is not None
        assert (found.user, found.issued, len(found.name)) == (user, int(NOW), 16)


def test_a_restart_with_the_same_key_changes_nothing() -> None:
    assert Sessions(b"k" * KEY_BYTES).find([cookie()], USERS, NOW) is not None
    assert Sessions(b"o" * KEY_BYTES).find([cookie()], USERS, NOW) is None


def test_sessions_outlive_an_upgrade() -> None:
    """This cookie was issued by version 0.1.0."""
    issued = (
        b"__Host-labgate=2.1800000000.0123456789abcdef.YWRh."
        b"aXDt3GUcwB5-u7UGWtnS_4AA62w0nQOKRTN0XzeRak0"
    )
    assert SESSIONS.find([issued], USERS, NOW) == Session("ada", int(NOW), NAME.decode())
    again = SESSIONS.issue("ada", USERS["ada"], NOW, NAME.decode())[1]
    assert again.partition(b";")[0] == issued


@pytest.mark.parametrize("user", list(USERS), ids=range(len(USERS)))
def test_a_cookie_has_no_character_that_would_need_quotes(user: str) -> None:
    value = cookie(user).removeprefix(b"__Host-labgate=")
    assert re.fullmatch(rb"2\.1800000000(\.[A-Za-z0-9_-]+){3}", value)


def test_every_changed_octet_is_noticed() -> None:
    value = cookie()
    start = len(b"__Host-labgate=")
    for place in range(start, len(value)):
        for other in (b"A", b"B", b".", b"9"):
            tampered = value[:place] + other + value[place + 1 :]
            # The last character of base64 has bits that are not looked at, so compare text.
            if tampered != value:
                assert SESSIONS.find([tampered], USERS, NOW) is None, tampered
    assert SESSIONS.find([value + b"="], USERS, NOW) is None
    assert SESSIONS.find([value[:-1]], USERS, NOW) is None


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"2", b"2....", b"." * 5000, b"1.1.YWRh.y"),
        *(b"2.1.%b.YWRh." % NAME, b"2.x.%b.YWRh.y" % NAME, b"2.-1.%b.YWRh.y" % NAME),
        *(b"2.1.%b.\xff.y" % NAME, b"2.1.x.YWRh.y", b"2.1.%b!.YWRh.y" % NAME[1:]),
    ],
)
def test_nonsense(value: bytes) -> None:
    assert SESSIONS.find([b"__Host-labgate=" + value], USERS, NOW) is None


def test_another_version_is_not_read_though_its_signature_is_right() -> None:
    value = cookie()[len(b"__Host-labgate=") :]
    signed = b"1" + value.rpartition(b".")[0][1:]
    forged = signed + b"." + SESSIONS._signature(signed, USERS["ada"])
    assert SESSIONS.find([b"__Host-labgate=" + forged], USERS, NOW) is None


def test_no_more_than_four_are_looked_at() -> None:
    """A request with thousands of them would take long."""
    nonsense = b"__Host-labgate=x; "
    assert SESSIONS.find([nonsense * 3 + cookie()], USERS, NOW) is not None
    assert SESSIONS.find([nonsense * 4 + cookie()], USERS, NOW) is None


def test_a_valid_one_is_found_behind_nonsense() -> None:
    assert SESSIONS.find([b"__Host-labgate=x; " + cookie()], USERS, NOW) is not None


@pytest.mark.parametrize("remembered", [False, True])
def test_it_ends_with_the_user_and_with_the_password(remembered: bool) -> None:
    sessions = Sessions(b"k" * KEY_BYTES)
    value = cookie()
    if remembered:
        assert sessions.find([value], USERS, NOW) is not None
    assert sessions.find([value], {**USERS, "ada": "$2b$04$another"}, NOW) is None
    assert sessions.find([value], {"böb.c": USERS["böb.c"]}, NOW) is None
    assert sessions.find([value], USERS, NOW) is not None


@pytest.mark.parametrize("remembered", [False, True])
def test_it_ends_by_itself(remembered: bool) -> None:
    sessions = Sessions(b"k" * KEY_BYTES)
    if remembered:
        assert sessions.find([cookie()], USERS, NOW) is not None
    assert sessions.find([cookie()], USERS, NOW + SESSION_LIFETIME_SECONDS - 1) is not None
    assert sessions.find([cookie()], USERS, NOW + SESSION_LIFETIME_SECONDS) is None
    assert sessions.find([cookie()], USERS, NOW - 3600) is not None
    assert sessions.find([cookie()], USERS, NOW - CLOCK_SKEW_SECONDS) is not None
    assert sessions.find([cookie()], USERS, NOW - CLOCK_SKEW_SECONDS - 1) is None


def test_it_is_renewed_once_a_day() -> None:
    session = Session("ada", int(NOW), "n" * 16)
    assert not session.needs_renewal(NOW + RENEW_AFTER_SECONDS)
    assert session.needs_renewal(NOW + RENEW_AFTER_SECONDS + 1)


def test_a_renewed_one_is_the_same_session() -> None:
    first = SESSIONS.find([cookie()], USERS, NOW)
    assert first is not None
    _, value = SESSIONS.issue("ada", USERS["ada"], NOW + 5, first.name)
    again = SESSIONS.find([value.partition(b";")[0]], USERS, NOW + 6)
    assert again == first._replace(issued=int(NOW) + 5)
    other = SESSIONS.find([cookie()], USERS, NOW)
    assert other is not None
    assert other.name != first.name


def test_a_revoked_session_and_its_copies_are_invalid() -> None:
    revoked = RevokedSessions()
    sessions = Sessions(b"k" * KEY_BYTES, revoked)
    old, other = cookie(), cookie()
    session = sessions.find([old], USERS, NOW)
    assert session is not None
    _, value = sessions.issue("ada", USERS["ada"], NOW + 5, session.name)
    revoked.add(Revocation("ada", session.name, int(NOW)))
    for copy in (old, value.partition(b";")[0]):
        assert sessions.find([copy], USERS, NOW + 6) is None
    assert sessions.find([old, other], USERS, NOW + 6) is not None


UNTIL = "Logins will not outlast this labgate."


def test_the_key_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    key = session_key(folder)
    assert len(key) == KEY_BYTES
    assert session_key(folder) == key
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "é"])
def test_a_damaged_key_is_not_used(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    assert session_key(tmp_path) != session_key(tmp_path)
    said = f"{tmp_path / KEY_FILE}: it is damaged; remove it. {UNTIL}"
    assert caplog.messages == [said, said]


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    assert len(session_key(tmp_path / "state")) == KEY_BYTES
    file = tmp_path / "state" / KEY_FILE
    problem = "Not a directory; make the folder writable, or set state.folder"
    assert caplog.messages == [f"{file}: {problem}. {UNTIL}"]

"""Which sessions are over, in memory and on disk."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import pytest

from proxy.access.revoked_sessions import (
    FILE_NAME,
    MAX_REVOCATIONS_PER_USER,
    Revocation,
    RevokedFile,
    RevokedSessions,
)
from proxy.access.session import CLOCK_SKEW_SECONDS, SESSION_LIFETIME_SECONDS, Session

NOW = 1_800_000_000


def session(user: str = "ada", name: str = "a", issued: int = NOW - 5) -> Session:
    return Session(user, issued, name)


def test_only_the_session_that_was_ended_is_invalid() -> None:
    revoked = RevokedSessions([Revocation("ada", "a", NOW)])
    assert session() in revoked
    assert session(issued=NOW + 5) in revoked  # renewed by a request that was under way
    assert session(name="b") not in revoked
    assert session(user="bob") not in revoked


def test_one_that_has_ended_by_itself_is_forgotten() -> None:
    revoked = RevokedSessions([Revocation("ada", "a", NOW), Revocation("bob", "b", NOW)])
    later = NOW + SESSION_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS
    revoked.add(Revocation("ada", "c", later - 1))
    assert session() in revoked
    revoked.add(Revocation("ada", "d", later))
    assert [one.session for one in revoked.revocations() if one.user == "ada"] == ["c", "d"]


def test_the_end_of_all_sessions_of_a_user_is_forgotten_as_well() -> None:
    revoked = RevokedSessions([Revocation("ada", "", NOW), Revocation("", "", NOW - 1)])
    assert session(name="x", issued=NOW) in revoked
    assert session(user="bob", issued=NOW - 1) in revoked
    later = NOW + SESSION_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS
    revoked.add(Revocation("eve", "a", later - 1))
    assert [(one.user, one.at) for one in revoked.revocations()] == [
        ("ada", NOW),
        ("eve", later - 1),
    ]
    revoked.add(Revocation("eve", "b", later))
    assert {one.user for one in revoked.revocations()} == {"eve"}


def test_the_last_end_of_all_sessions_counts() -> None:
    revoked = RevokedSessions([Revocation("ada", "", NOW), Revocation("ada", "", NOW - 5)])
    assert revoked.revocations() == [Revocation("ada", "", NOW)]
    assert session(issued=0) not in RevokedSessions([Revocation("bob", "", NOW)])


def test_who_ends_very_many_ends_all_of_his_own() -> None:
    revoked = RevokedSessions(
        Revocation("ada", str(n), NOW) for n in range(MAX_REVOCATIONS_PER_USER)
    )
    assert session(name="x") not in revoked
    revoked.add(Revocation("ada", "one more", NOW))
    assert revoked.revocations() == [Revocation("ada", "", NOW)]
    assert session(name="x", issued=NOW) in revoked
    assert session(name="x", issued=NOW + 1) not in revoked
    assert session(user="bob", name="x") not in revoked


def test_one_too_many_from_another_labgate_revives_none() -> None:
    """What it has stored may be older than the logouts here."""
    revoked = RevokedSessions(
        Revocation("ada", str(number), NOW) for number in range(MAX_REVOCATIONS_PER_USER)
    )
    revoked.add(Revocation("ada", "another", NOW - 3600))
    assert revoked.revocations() == [Revocation("ada", "", NOW)]
    assert session(name="0") in revoked


async def test_it_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    await RevokedFile(folder).save(Revocation("ada", "a", NOW))
    file = RevokedFile(folder)
    file.load()
    await file.save(Revocation("böb", "b", NOW))
    assert session() in file.revoked
    again = RevokedFile(folder).load()
    assert session() in again
    assert session(user="böb", name="b") in again
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


async def test_a_logout_after_all_until_then_is_stored_too(tmp_path: Path) -> None:
    """The file that is read again before each save still has the earlier one."""
    file = RevokedFile(tmp_path)
    await file.save(Revocation("ada", "", NOW))
    later = session(name="later", issued=NOW + 10)
    await file.save(Revocation("ada", "later", NOW + 20))
    assert later in file.revoked
    assert later in file.load()
    assert later in RevokedFile(tmp_path).load()
    assert session(name="another", issued=NOW + 10) not in file.revoked


async def test_what_is_not_stored_yet_is_known_after_a_load(tmp_path: Path) -> None:
    """A reload may come while a logout is being stored."""
    file = RevokedFile(tmp_path)
    saving = asyncio.ensure_future(file.save(Revocation("ada", "a", NOW)))
    await asyncio.sleep(0)
    assert not (tmp_path / FILE_NAME).exists()
    assert session() in file.load()
    await saving
    assert session() in file.load()
    assert session() in RevokedFile(tmp_path).load()


async def test_two_with_one_folder_store_the_revocations_of_both(tmp_path: Path) -> None:
    first, second = RevokedFile(tmp_path), RevokedFile(tmp_path)
    await first.save(Revocation("ada", "a", NOW))
    await second.save(Revocation("ada", "b", NOW))
    kept = RevokedFile(tmp_path).load()
    assert session() in kept
    assert session(name="b") in kept
    assert session() in second.revoked


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[["ada"]]', b"\xff", b'[["a","b","c"]]'])
async def test_a_damaged_file_lets_nobody_in_again(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    file = RevokedFile(tmp_path)
    file.load()
    [line] = caplog.messages
    assert line.startswith(f"{tmp_path / FILE_NAME} cannot be read (")
    assert line.endswith("): everybody has to log in again.")
    assert "(None)" not in line
    assert session(user="anybody", issued=1000) in file.revoked
    await file.save(Revocation("ada", "a", int(time.time())))
    assert session(user="anybody", issued=1000) in RevokedFile(tmp_path).load()


async def test_a_folder_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    file = RevokedFile(tmp_path / "state")
    await file.save(Revocation("ada", "a", NOW))
    assert caplog.messages[-1] == (
        f"{tmp_path / 'state' / FILE_NAME}: Not a directory; make the folder writable, or set "
        "state.folder. Who has logged out is logged out until labgate is started again."
    )
    assert session() in file.revoked

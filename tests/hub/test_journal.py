"""Routes on the disk: what is read back, what a crash leaves, and who may read it."""

from __future__ import annotations

import asyncio
import resource
import threading
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.hub.journal import SPARE_LINES, Journal
from proxy.hub.stored_route import StoredRoute
from tests.hub.running import limited

ADA = StoredRoute("/user/ada", '{"target":"http://h:1","user":"ada"}', 12.5)
BOB = StoredRoute("/user/bob", '{"target":"http://h:2"}', 3.0)


def loaded(path: Path) -> list[StoredRoute]:
    journal = Journal(path)
    try:
        return journal.load()
    finally:
        journal.close()


def add(journal: Journal, *routes: StoredRoute) -> None:
    for route in routes:
        journal.add(route)
    journal.write()


def remove(journal: Journal, path: str) -> None:
    journal.remove(path)
    journal.write()


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "routes"
    journal = Journal(path)
    assert journal.load() == []
    add(journal, ADA, BOB)
    add(journal, ADA._replace(last_activity=99.0))
    remove(journal, "/user/bob")
    # Without a close: a process that is killed has none.
    assert loaded(path) == [ADA._replace(last_activity=99.0)]
    assert path.stat().st_mode & 0o777 == 0o600
    journal.close()


def test_what_is_not_written_yet_is_written_with_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    journal.add(ADA)
    assert loaded(path) == []
    journal.add(BOB)
    journal.close()
    assert loaded(path) == [ADA, BOB]


async def test_what_is_not_written_yet_is_older_than_what_the_file_is_written_anew_with(
    tmp_path: Path,
) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    newer = ADA._replace(last_activity=99.0)
    journal.add(ADA)
    await journal.rewrite([newer])
    journal.add(ADA)
    journal.rewrite_now([newer])
    journal.close()
    assert loaded(path) == [newer]


@pytest.mark.parametrize(
    "octets", [1, 20, len('{"path":"/user/bob","data":{"target":"http://h:2"}')]
)
def test_a_line_that_fits_in_part_takes_no_other_with_it(
    tmp_path: Path, octets: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    add(journal, ADA)
    with limited(resource.RLIMIT_FSIZE, path.stat().st_size + octets):
        add(journal, BOB)
        assert "cannot be written" in caplog.text
        remove(journal, "/user/ada")
    assert len(caplog.messages) == 1, "each failure is logged once"
    add(journal, BOB._replace(path="/user/cleo"))
    add(journal, BOB._replace(path="/user/dora"))
    assert [route.path for route in loaded(path)] == ["/user/ada", "/user/cleo", "/user/dora"]
    assert "unreadable lines are left out: 1, the first is line 2" in caplog.text
    journal.close()


def test_lines_after_it_are_kept_if_the_file_cannot_be_opened_for_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    with limited(resource.RLIMIT_NOFILE, 0):
        add(journal, ADA)
    assert "Too many open files" in caplog.text
    add(journal, BOB)
    assert loaded(path) == [BOB]
    journal.close()


def test_a_first_line_that_was_cut_is_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    path.write_text('{"path":"/user/a')
    assert loaded(path) == []


def test_a_line_without_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    add(journal, ADA)
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])
    assert loaded(path) == [ADA]


def test_a_line_that_a_crash_cut_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    add(journal, ADA)
    add(journal, BOB)
    journal.close()
    path.write_bytes(path.read_bytes()[:-9])
    assert loaded(path) == [ADA]


@pytest.mark.parametrize(
    "line", ["x", "{}", "[]", '{"path": "/x", "data": {}, "last_activity": 1}']
)
def test_another_file_is_not_overwritten(tmp_path: Path, line: str) -> None:
    path = tmp_path / "routes"
    for content in (f"{line}\n", line):
        path.write_text(content)
        with pytest.raises(StartError, match="line 1 is not one"):
            loaded(path)
        assert path.read_text() == content


def test_whether_there_are_routes_of_another_proxy(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    Journal(path).check_is_new()
    path.write_bytes(b"")
    Journal(path).check_is_new()
    Journal(path).rewrite_now([ADA])
    with pytest.raises(StartError, match=r"has content, .* Name a file that is not there yet"):
        Journal(path).check_is_new()
    with pytest.raises(StartError, match="cannot be read"):
        Journal(path / "file").check_is_new()
    assert loaded(path) == [ADA]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        loaded(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"--storage .*file/routes"):
        loaded(tmp_path / "file" / "routes")


async def test_it_is_written_anew_when_most_of_it_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    for _ in range(SPARE_LINES + 2):
        add(journal, ADA)
    assert not journal.needs_rewriting(1)
    add(journal, ADA)
    assert journal.needs_rewriting(1)
    await journal.rewrite([ADA])
    add(journal, BOB)
    journal.close()
    assert len(path.read_bytes().splitlines()) == 2
    assert loaded(path) == [ADA, BOB]
    assert path.stat().st_mode & 0o777 == 0o600


async def being_rewritten(path: Path) -> tuple[Journal, asyncio.Future[None]]:
    """A journal with a route, while a thread writes it anew."""
    journal = Journal(path)
    journal.load()
    add(journal, ADA)
    writing = asyncio.ensure_future(journal.rewrite([ADA]))
    await asyncio.sleep(0)
    return journal, writing


async def test_what_changes_while_it_is_written_anew_is_kept(tmp_path: Path) -> None:
    """A thread writes; this is what comes meanwhile, and a crash at any moment loses nothing."""
    path = tmp_path / "routes"
    journal, writing = await being_rewritten(path)
    add(journal, BOB)
    remove(journal, "/user/ada")
    assert b'"/user/bob"' in path.read_bytes(), "the old file has it, too"
    await journal.rewrite([])
    await writing
    add(journal, BOB._replace(path="/user/cleo"))
    assert [route.path for route in loaded(path)] == ["/user/bob", "/user/cleo"]
    journal.close()


async def test_a_journal_that_is_left_while_it_is_written_anew(tmp_path: Path) -> None:
    """As at a takeover: what the other process writes stays."""
    path = tmp_path / "routes"
    journal, writing = await being_rewritten(path)
    journal.close()
    other = Journal(path)
    assert other.load() == [ADA]
    add(other, BOB)
    await writing
    assert loaded(path) == [ADA, BOB]
    assert [file.name for file in tmp_path.iterdir()] == ["routes"]
    other.close()


async def test_a_new_file_that_was_just_written_is_removed_if_nobody_wants_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    writing = asyncio.ensure_future(journal.rewrite([ADA]))
    await asyncio.sleep(0)
    for thread in threading.enumerate():
        if thread.name == "routes":
            thread.join()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert [file.name for file in tmp_path.iterdir()] == ["routes"]
    assert loaded(path) == []
    journal.close()


async def test_the_old_file_stays_if_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    add(journal, ADA)
    with limited(resource.RLIMIT_FSIZE, 1), pytest.raises(OSError, match="File too large"):
        await journal.rewrite([ADA])
    add(journal, BOB)
    assert loaded(path) == [ADA, BOB]
    assert [file.name for file in tmp_path.iterdir()] == ["routes"]
    journal.close()

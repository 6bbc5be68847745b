"""Routes on the disk: what is read back, what a crash leaves, and who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.hub.journal import SPARE_LINES, Journal, StoredRoute

ADA = StoredRoute("/user/ada", {"target": "http://h:1", "user": "ada"}, 12.5)
BOB = StoredRoute("/user/bob", {"target": "http://h:2"}, 3.0)


def loaded(path: Path) -> list[StoredRoute]:
    journal = Journal(path)
    try:
        return journal.load()
    finally:
        journal.close()


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "routes"
    journal = Journal(path)
    assert journal.load() == []
    journal.add(ADA)
    journal.add(BOB)
    journal.add(ADA._replace(last_activity=99.0))
    journal.remove("/user/bob")
    # Without a close: a process that is killed has none.
    assert loaded(path) == [ADA._replace(last_activity=99.0)]
    assert path.stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_line_that_a_crash_cut_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    journal.add(ADA)
    journal.add(BOB)
    journal.close()
    path.write_bytes(path.read_bytes()[:-9])
    assert loaded(path) == [ADA]


@pytest.mark.parametrize(
    "line", ["x", "{}", "[]", '{"path": "/x", "data": {}, "last_activity": 1}']
)
def test_another_file_is_not_overwritten(tmp_path: Path, line: str) -> None:
    path = tmp_path / "routes"
    path.write_text(f"{line}\n")
    with pytest.raises(StartError, match="line 1 is not one"):
        loaded(path)
    assert path.read_text() == f"{line}\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        loaded(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"--storage .*file/routes"):
        loaded(tmp_path / "file" / "routes")


def test_it_is_written_anew_when_most_of_it_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "routes"
    journal = Journal(path)
    journal.load()
    for _ in range(SPARE_LINES + 2):
        journal.add(ADA)
    assert not journal.needs_rewriting(1)
    journal.add(ADA)
    assert journal.needs_rewriting(1)
    journal.rewrite([ADA])
    journal.add(BOB)
    journal.close()
    assert len(path.read_bytes().splitlines()) == 2
    assert loaded(path) == [ADA, BOB]

"""Who may change a program, on real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.service.program_writers import writer_of

TRUSTED = (0, os.getuid())


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "bin/labgate"
    made.parent.mkdir(mode=0o755)
    made.touch(mode=0o755)
    return made


def test_nobody_else(program: Path) -> None:
    assert writer_of([program], TRUSTED) is None


def test_the_owner(program: Path) -> None:
    found = writer_of([program], trusted=())
    assert found is not None
    assert found[1].startswith("the user ")


@pytest.mark.parametrize("part", ["bin", "bin/labgate"])
def test_everybody(part: str, program: Path) -> None:
    changed = program.parents[1] / part
    changed.chmod(0o777)
    assert writer_of([program], TRUSTED) == (changed, "everybody")


def test_where_a_link_leads(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(program)
    program.parent.chmod(0o777)
    assert writer_of([link], TRUSTED) == (program.parent, "everybody")


@pytest.mark.parametrize("open_folder", ["a", "b", "c"])
@pytest.mark.parametrize("of_folders", [False, True])
def test_each_link_of_a_chain(open_folder: str, of_folders: bool, tmp_path: Path) -> None:
    """The owner of ``b`` may have ``b/y`` lead elsewhere."""
    a, b, c = (tmp_path / name for name in "abc")
    for folder in (a, b, c):
        folder.mkdir(mode=0o755)
    (a / "x").symlink_to("../b/y")
    (b / "y").symlink_to(c / "z")
    program = c / "z"
    if of_folders:
        program.mkdir(mode=0o755)
        program /= "labgate"
    program.touch(mode=0o755)
    as_written = a / "x" / program.relative_to(c / "z")
    assert as_written.samefile(program)
    assert writer_of([as_written], TRUSTED) is None
    (tmp_path / open_folder).chmod(0o777)
    assert writer_of([as_written], TRUSTED) == (tmp_path / open_folder, "everybody")


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    assert writer_of([tmp_path / "one"], TRUSTED) is None


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link away, which needs root")
def test_anothers_link_in_a_folder_in_which_nobody_renames_anothers_file(program: Path) -> None:
    link = program.parent / "link"
    link.symlink_to(program)
    program.parent.chmod(0o1777)
    assert writer_of([link], TRUSTED) is None
    os.lchown(link, 1234, -1)
    assert writer_of([link], TRUSTED) == (link, "the user 1234")


def test_a_folder_in_which_nobody_renames_anothers_file(program: Path) -> None:
    program.parent.chmod(0o1777)
    assert writer_of([program], TRUSTED) is None


def test_a_group(program: Path) -> None:
    program.chmod(0o775)
    group = program.stat().st_gid
    expected = None if group == 0 else (program, f"the group {group}")
    assert writer_of([program], TRUSTED) == expected


def test_one_that_is_not_there(tmp_path: Path) -> None:
    assert writer_of([tmp_path / "none"], TRUSTED) is None

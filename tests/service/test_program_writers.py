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

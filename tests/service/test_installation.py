from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.service.installation import RECORD, Installation, ServiceFile, State

UNIT = ServiceFile(Path("/etc/systemd/system/labgate.service"), "[Unit]\n", 0o644, "a unit")
OTHER = ServiceFile(UNIT.path, "[Unit]\n# newer\n", 0o644, "a unit")


def test_a_file_goes_through_its_states(tmp_path: Path) -> None:
    place = tmp_path / "etc/systemd/system/labgate.service"
    assert Installation(tmp_path).state(UNIT) is State.MISSING
    Installation(tmp_path).write(UNIT)
    assert place.read_text() == UNIT.content
    assert place.stat().st_mode & 0o777 == 0o644
    again = Installation(tmp_path)
    assert again.paths == [UNIT.path]
    assert again.state(UNIT) is State.SAME
    assert again.state(OTHER) is State.OURS
    place.write_text("changed\n")
    assert again.state(UNIT) is State.FOREIGN
    assert not again.is_unchanged(UNIT.path)


def test_a_file_of_somebody_else_is_not_labgates(tmp_path: Path) -> None:
    place = tmp_path / "etc/systemd/system/labgate.service"
    place.parent.mkdir(parents=True)
    place.write_text("mine\n")
    assert Installation(tmp_path).state(UNIT) is State.FOREIGN


def test_nothing_is_left_when_everything_was_taken_back(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.write(UNIT)
    installation.remove(UNIT.path)
    assert installation.paths == []
    assert not (tmp_path / RECORD.relative_to("/").parent).exists()


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    Installation(tmp_path).write(UNIT)
    (tmp_path / RECORD.relative_to("/")).write_text(json.dumps(["nonsense"]))
    assert Installation(tmp_path).paths == []


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("in the way")
    with pytest.raises(StartError, match=r"cannot be (read|written)"):
        Installation(tmp_path).write(UNIT)

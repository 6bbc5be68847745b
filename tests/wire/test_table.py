"""The table of answers has a row for each row of the checklist, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.wire.corpus import load
from tests.wire.differences import HEADING, differences

TABLE = (Path(__file__).parent / "README.md").read_text()
ANSWERS = TABLE.partition("## Judged")[0]


def test_every_row_is_answered() -> None:
    rows = [int(row) for row in re.findall(r"^\| (\d+) \| ", ANSWERS, re.MULTILINE)]
    assert rows == list(range(1, 51))


def test_every_row_is_tested() -> None:
    tested = {case.row for kind in ("requests", "responses") for case in load(kind)}
    for file in Path(__file__).parent.glob("test_*.py"):
        tested |= {int(row) for row in re.findall(r"def test_(\d\d)_", file.read_text())}
    assert tested == set(range(1, 51))


def test_every_difference_is_a_refusal_or_the_same_request() -> None:
    cases = {case.id: case for case in load("requests")}
    found = differences()
    rows = re.findall(r"^\| \d\d .*\|$", TABLE.partition(HEADING)[2], re.MULTILINE)
    assert len(found) == len(rows) > 0, "a row that cannot be read expects nothing"
    for case, expected, judgement in found:
        changed = {
            key: value for key, value in expected.items() if cases[case].expected[key] != value
        }
        assert changed == expected, f"{case}: what is the same does not belong there"
        now = cases[case].expected | expected
        if judgement == "refused":
            assert int(now["status"][0]) >= 400, case
            assert now["upstream"] == ["none"], case
        else:
            assert (now["status"], now["upstream"]) == (["200"], ["once"]), case

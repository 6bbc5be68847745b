"""The table of answers has a row for each row of the checklist, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.wire.corpus import load

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

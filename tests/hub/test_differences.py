"""The table of differences: every line is asserted, and stands in the document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.programs import ROOT
from tests.hub.difference import shown
from tests.hub.differences import DIFFERENCES, table
from tests.hub.differing_flags import FLAGS
from tests.hub.differing_requests import REQUESTS

HERE = Path(__file__).parent
TESTS = [*HERE.glob("test_differing_*.py"), HERE / "test_contract_tls.py"]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_line_is_asserted(name: str) -> None:
    line = re.compile(rf'"{name}"\)|^    "{name}":', re.MULTILINE)
    assert any(line.search(file.read_text()) for file in TESTS)


def test_no_two_lines_have_one_name() -> None:
    assert len(DIFFERENCES) == len(FLAGS) + len(REQUESTS)


def test_no_line_says_the_same_of_both() -> None:
    assert [name for name, one in DIFFERENCES.items() if one.chp == one.labgate] == []


def test_the_document_has_the_table() -> None:
    assert table() in (ROOT / ".github/JUPYTERHUB.md").read_text("utf-8"), (
        "run python -m tests.hub.differences, and put what it prints there"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"),
        (None, "none"),
        (301, "301"),
        ("ws", "`ws`"),
        ("the connection ends", "the connection ends"),
        (("named", None), "`named`, none"),
    ],
)
def test_values_in_words(value: object, said: str) -> None:
    assert shown(value) == said

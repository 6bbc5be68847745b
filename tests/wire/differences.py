"""Where aiohttp's server answers a case in another way than labgate's own protocol.

Read from the table in README.md. Each difference is a refusal, or it is the same request in another
spelling: then what goes up is that request as labgate writes it, which a strict reader judges.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tests.fronts import front
from tests.wire.corpus import Case

HEADING = "## With aiohttp's server"
_ROW = re.compile(r"^\| (\d\d [^|]+?) \| ([^|]+?) \| (refused|equal): [^|]+ \|$", re.MULTILINE)
_EXPECTED = re.compile(r"`(status|connection|upstream): ([^`]+)`")


class Difference(NamedTuple):
    """One row of the table.

    Attributes:
        case: The case's id.
        expected: What is expected instead.
        judgement: ``refused``, or ``equal`` to what labgate's own protocol lets through elsewhere.
    """

    case: str
    expected: dict[str, list[str]]
    judgement: str


def differences() -> list[Difference]:
    """Every row."""
    text = (Path(__file__).parent / "README.md").read_text("utf-8").partition(HEADING)[2]
    return [
        Difference(case, {key: [value] for key, value in _EXPECTED.findall(cell)}, judgement)
        for case, cell, judgement in _ROW.findall(text)
    ]


def on_this_front(cases: list[Case]) -> list[Case]:
    """The cases with what this run's front is expected to answer."""
    if front() not in ("aiohttp", "mounted"):
        return cases
    expected = {each.case: each.expected for each in differences()}
    return [
        replace(case, expected={**case.expected, **expected.get(case.id, {})}) for case in cases
    ]

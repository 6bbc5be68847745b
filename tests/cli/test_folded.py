from __future__ import annotations

import pytest

from proxy.cli.folded import MIN_COLUMNS, folded

URL = "https://lab.example.org/user/ada/lab/tree/a-folder"

ROWS = [
    ("", 40, [""]),
    ("short", 40, ["short"]),
    ("X-Forwarded-Proto is not https", 28, ["X-Forwarded-Proto is not", "https"]),
    ("the field X-Forwarded-Proto", 22, ["the field", "X-Forwarded-Proto"]),
    (f"open {URL} now", 30, ["open", URL, "now"]),
    ("seven words that would stand alone", 3, ["seven words that", "would stand alone"]),
]


@pytest.mark.parametrize(("text", "columns", "lines"), ROWS)
def test_between_words(text: str, columns: int, lines: list[str]) -> None:
    assert folded(text, columns) == lines
    assert all(len(line) <= max(columns, MIN_COLUMNS) or " " not in line for line in lines)

"""A file is about one thing: none of labgate's has more lines than a reader keeps in mind."""

from __future__ import annotations

from pathlib import Path

import proxy

ROOT = Path(next(iter(proxy.__path__)))
MAX_LINES = 300


def test_no_file_is_long() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines())
        for file in ROOT.rglob("*.py")
    }
    long = {file: lines for file, lines in lengths.items() if lines > MAX_LINES}
    assert long == {}, "cut it where one noun ends and the next begins"

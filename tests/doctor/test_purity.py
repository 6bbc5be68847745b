"""The judgements do no I/O, and change nothing that they are given."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import proxy.doctor.judge

IMPURE = {"aiohttp", "asyncio", "http.client", "os", "socket", "ssl", "subprocess", "time"}
FOLDER = Path(next(iter(proxy.doctor.judge.__path__)))
PURE = [*sorted(FOLDER.glob("*.py")), FOLDER.parent / "answer.py", FOLDER.parent / "finding.py"]


@pytest.mark.parametrize("file", PURE, ids=[file.name for file in PURE])
def test_no_io(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not imported & IMPURE
    assert not any(name.startswith("proxy.doctor.probes") for name in imported)

"""The symptoms are knowledge: nothing in them does I/O, or could."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import proxy.symptoms
from tests.rules.test_purity import ALLOWED

FILES = sorted(Path(next(iter(proxy.symptoms.__path__))).rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_they_import_only_rules_and_what_does_no_io(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            assert node.module not in ("urllib", "urllib.request")
        foreign = [name for name in names if not name.startswith("proxy.rules.")]
        assert {name.partition(".")[0] for name in foreign} <= ALLOWED
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 10

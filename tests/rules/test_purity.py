"""The rules decide and never wait: no I/O, and nothing that could do any."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import proxy.rules

ALLOWED = {
    "__future__",
    "collections",
    "dataclasses",
    "functools",
    "ipaddress",
    "re",
    "types",
    "typing",
    "urllib",
}
FILES = sorted(Path(next(iter(proxy.rules.__path__))).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rules_import_nothing_that_waits(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            assert node.module != "urllib" and node.module != "urllib.request"  # noqa: PT018
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{file.name} reaches outside rules/"
        assert {name.split(".")[0] for name in names} <= ALLOWED
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 5

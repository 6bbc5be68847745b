"""A folder's docstring lists its files, and every file has its test or says who tests it.

That public modules, classes and functions have a docstring is ruff's rules D100 to D104.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import proxy

ROOT = Path(next(iter(proxy.__path__)))
TESTS = ROOT.parent / "tests"
FOLDERS = sorted(file.parent for file in ROOT.rglob("__init__.py") if file.parent != ROOT)
FILES = sorted(file for file in ROOT.rglob("*.py") if file.name != "__init__.py")


def docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_lists_its_files(folder: Path) -> None:
    lines = re.findall(r"(?m)^ *- ((?:``\w+``(?:, )?)+) ", docstring(folder / "__init__.py"))
    listed = [name for line in lines for name in re.findall(r"\w+", line)]
    there = {file.stem for file in folder.iterdir() if file.name[:2] != "__"}
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_has_a_test_of_its_name_or_says_where_it_is_tested(file: Path) -> None:
    test = TESTS / file.relative_to(ROOT).with_name(f"test_{file.stem}.py")
    named = re.findall(r"tests/[\w/]+\.py", docstring(file))
    assert test.exists() or named, f"there is no {test}"
    assert [other for other in named if not (ROOT.parent / other).is_file()] == []


def test_the_life_of_a_request_names_files_that_exist() -> None:
    text = docstring(ROOT / "__init__.py")
    named = set(re.findall(r"\b[a-z]\w*\.[a-z_]\w+\b", text)) - {"listen.server", "listen.http2"}
    assert len(named) > 20
    paths = {name: ROOT / name.replace(".", "/") for name in named}
    missing = [
        name
        for name, path in paths.items()
        if not (path.is_dir() or path.with_suffix(".py").exists())
    ]
    assert missing == []


def test_the_life_of_a_request_names_every_package() -> None:
    named = set(re.findall(r"\w+", docstring(ROOT / "__init__.py")))
    packages = {path.stem for path in ROOT.iterdir() if path.name[:2] != "__"}
    assert packages - named == set()


def test_the_architecture_shows_the_same_life_of_a_request() -> None:
    block = docstring(ROOT / "__init__.py").split("::\n\n", 1)[1].split("\n\n", 1)[0]
    lines = [line.removeprefix("    ") for line in block.splitlines()]
    assert "\n".join(lines) in (ROOT.parent / ".github/ARCHITECTURE.md").read_text("utf-8")

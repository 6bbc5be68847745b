"""Imports inside ``proxy/`` point one way, and none of them closes a circle."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.package_graph import (
    FOLDED,
    LAYERS,
    Import,
    circle,
    file_graph,
    imports_of,
    package_graph,
    package_of,
    violations,
)


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """All imports inside ``proxy/``."""
    return imports_of()


def test_imports_point_one_way(imports: list[Import]) -> None:
    assert violations(imports, LAYERS) == []


def test_no_file_imports_itself_in_a_circle(imports: list[Import]) -> None:
    assert circle(file_graph(imports)) == []


def test_no_package_imports_itself_in_a_circle(imports: list[Import]) -> None:
    assert circle(package_graph(imports)) == []


def test_folders_of_one_package_would_be_a_circle(
    imports: list[Import], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in list(FOLDED):
        with monkeypatch.context() as patch:
            patch.delitem(FOLDED, folder)
            assert circle(package_graph(imports)), f"{folder} can be a package of its own"


def test_every_layer_is_there(imports: list[Import]) -> None:
    present = {package_of(name) for found in imports for name in found}
    assert set(LAYERS) == present


WAYS = [
    pytest.param("from proxy.high.file import name", id="from"),
    pytest.param("from proxy.high import file", id="a module"),
    pytest.param("import proxy.high.file", id="import"),
    pytest.param("import proxy.high.file as other", id="as"),
    pytest.param("from ..high.file import name", id="relative"),
    pytest.param("from ..high import file", id="a relative module"),
    pytest.param("def function():\n    from proxy.high.file import name", id="in a function"),
    pytest.param(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from proxy.high import file",
        id="for type checkers",
    ),
]


@pytest.mark.parametrize("line", WAYS)
def test_an_import_upwards_is_found(line: str, tmp_path: Path) -> None:
    imports = imports_of(planted(tmp_path, {"low/file.py": line, "high/file.py": ""}))
    assert imports == [Import("proxy.low.file", "proxy.high.file")]
    (sentence,) = violations(imports, ["low", "high"])
    assert "proxy.low.file imports proxy.high.file" in sentence
    assert "low comes before high in LAYERS" in sentence
    assert violations(imports, ["high", "low"]) == []


def test_a_new_package_needs_a_layer(tmp_path: Path) -> None:
    imports = imports_of(planted(tmp_path, {"new/file.py": "from proxy.low import x"}))
    assert imports == [Import("proxy.new.file", "proxy.low")]
    assert "new is in no layer yet" in violations(imports, ["low"])[0]
    imports = imports_of(planted(tmp_path / "in", {"low/new/file.py": "from proxy.low import x"}))
    assert "low.new is in no layer yet" in violations(imports, ["low"])[0]


def test_circles_are_found(tmp_path: Path) -> None:
    files = {
        "low/a.py": "from proxy.low.b import b",
        "low/b.py": "from .c import c",
        "low/c.py": "from proxy.low import a",
    }
    imports = imports_of(planted(tmp_path, files))
    found = circle(file_graph(imports))
    assert set(found) == {"proxy.low.a", "proxy.low.b", "proxy.low.c"}
    assert len(found) == 4
    assert all(Import(*pair) in imports for pair in pairwise(found))


def planted(folder: Path, files: dict[str, str]) -> Path:
    """A package ``proxy`` of these files."""
    root = folder / "proxy"
    for name, text in {"__init__.py": "", "low/__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root

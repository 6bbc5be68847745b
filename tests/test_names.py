"""No two public names of ``proxy/`` are the same: a reader of one does not think of the other.

Classes, type aliases and functions count wherever they are; constants count once another file
imports one of them. A constant that only its own file uses stands beside its use.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import proxy

ROOT = Path(next(iter(proxy.__path__)))

ACCEPTED = {
    "main": "the entry point of a program, by custom",
}
"""Names that several files may define, each with the reason."""


def definitions(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Each public name at the top of a file, and whether it is a constant."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name, False
            case ast.AsyncFunctionDef(name=name):
                yield name, False
            case ast.Assign(targets=targets):
                for target in targets:
                    for inner in ast.walk(target):
                        if isinstance(inner, ast.Name):
                            yield inner.id, not is_type_alias(inner.id)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, not is_type_alias(name)


def is_type_alias(name: str) -> bool:
    return name[0].isupper() and not name.isupper()


def imports(tree: ast.Module, folder: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The file, below the package, that each name is imported from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                module = (*folder[: len(folder) - node.level + 1], *module)
            elif module[0] != ROOT.name:
                continue
            else:
                module = module[1:]
            for alias in node.names:
                yield "/".join(module), alias.name


def shared_names(root: Path) -> dict[str, list[str]]:
    """The files of each public name that several files define."""
    files: dict[str, list[str]] = {}
    constants: set[tuple[str, str]] = set()
    imported: set[tuple[str, str]] = set()
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root)
        tree = ast.parse(file.read_text("utf-8"))
        imported.update(imports(tree, path.parent.parts))
        for name, is_constant in definitions(tree):
            if not name.startswith("_"):
                files.setdefault(name, []).append(str(path))
                if is_constant:
                    constants.add((str(path.with_suffix("")), name))
    return {
        name: where
        for name, where in files.items()
        if len(where) > 1
        and any(
            (module, name) not in constants or (module, name) in imported
            for module in (file.removesuffix(".py") for file in where)
        )
    }


def test_no_two_public_names_are_the_same() -> None:
    assert {name: where for name, where in shared_names(ROOT).items() if name not in ACCEPTED} == {}


def test_what_is_accepted_is_shared() -> None:
    assert ACCEPTED.keys() <= shared_names(ROOT).keys()


FIRST = """
class Session: ...
class _Own: ...
async def parse(): ...
Message = dict[str, int]
HEALTH, READY = 1, 2
LIMIT: int = 3
"""
SECOND = """
class Session: ...
class _Own: ...
def parse(): ...
Message = list[int]
HEALTH = 1
READY = 2
LIMIT = 4
"""


def test_shared_names_are_found(tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    (tmp_path / "a.py").write_text(FIRST)
    (tmp_path / "low" / "b.py").write_text(SECOND)
    assert sorted(shared_names(tmp_path)) == ["Message", "Session", "parse"]
    (tmp_path / "c.py").write_text("from proxy.a import HEALTH\n")
    (tmp_path / "low" / "d.py").write_text("from .b import LIMIT\n")
    both = ["a.py", "low/b.py"]
    named = ("HEALTH", "LIMIT", "Message", "Session", "parse")
    assert shared_names(tmp_path) == dict.fromkeys(named, both)

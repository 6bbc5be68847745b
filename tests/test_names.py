"""No two public classes of ``proxy/`` share a name: a reader of one does not think of the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import proxy

ROOT = Path(next(iter(proxy.__path__)))

ACCEPTED: dict[str, str] = {}
"""Names that two classes may share, each with the reason."""


def public_classes(root: Path) -> Iterator[tuple[str, str]]:
    """The name of each public class at the top of a file below ``root``, and the file."""
    for file in sorted(root.rglob("*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, str(file.relative_to(root))


def shared_names(root: Path) -> dict[str, list[str]]:
    """The files of each name that several classes have."""
    files: dict[str, list[str]] = {}
    for name, file in public_classes(root):
        files.setdefault(name, []).append(file)
    return {name: where for name, where in files.items() if len(where) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    assert {name: where for name, where in shared_names(ROOT).items() if name not in ACCEPTED} == {}


def test_what_is_accepted_is_shared() -> None:
    assert ACCEPTED.keys() <= shared_names(ROOT).keys()


def test_a_shared_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    (tmp_path / "a.py").write_text("class Session: ...\nclass _Own: ...\n")
    (tmp_path / "low" / "b.py").write_text("class Session: ...\nclass _Own: ...\n")
    assert shared_names(tmp_path) == {"Session": ["a.py", "low/b.py"]}

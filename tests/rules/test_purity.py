"""The rules decide and never wait: no I/O, nothing that could do any, and no change of what
they are given."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from proxy.rules.head import RequestHead, ResponseHead
from tests.heads import HOST, answered, get
from tests.rules.every_rule import (
    ANSWERS,
    HEADS,
    SITES,
    every_rule_for_answers,
    every_rule_for_requests,
    every_rule_once,
)
from tests.rules.watched_inputs import FOLDER, Changed, copied, watched

ALLOWED = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "ipaddress",
    "re",
    "types",
    "typing",
    "urllib",
}
FILES = sorted(FOLDER.glob("*.py"))


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


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_a_request_is_left_as_it_is(head: RequestHead) -> None:
    """``test_no_rule_changes_what_it_is_given`` looks at the sites, too."""
    given = copied(head)
    for site in SITES:
        said = every_rule_for_requests(head, site)
        assert copied(head) == given
        assert every_rule_for_requests(head, site) == said, "the same again"


@pytest.mark.parametrize("head", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_is_left_as_it_is(head: ResponseHead) -> None:
    given = copied(head)
    for site in SITES:
        said = every_rule_for_answers(head, site)
        assert copied(head) == given
        assert every_rule_for_answers(head, site) == said, "the same again"


UNCHANGEABLE = {
    *("bytes", "str", "int", "bool"),
    *("bytes | None", "int | None", "tuple[bytes, ...]", "Validators"),
}
"""The types of what cannot change."""

ADDED_TO = "changes"
"""What the rules did, for those who look. The caller gives the list, and most times none: if the
rules returned it, every request would make one, and every rule a second value."""

BUILDERS = {
    Changed("prefixes.PrefixTree.set", "self"),
    Changed("prefixes.PrefixTree.remove", "self"),
    Changed("route_choice.RouteChoice.add", "self"),
}
"""They decide nothing: what ``find`` reads is made and changed with them."""


def test_no_rule_changes_what_it_is_given() -> None:
    """But for two exceptions, none of all rules that are given what could change."""
    with watched() as watch:
        every_rule_once()
    assert {changed for changed in watch.changed if changed.parameter != ADDED_TO} == BUILDERS
    assert watch.replaced == BUILDERS, f"{ADDED_TO} only gets longer"
    assert may_change_something() - watch.called == set(), "call them in every_rule.py"


def may_change_something() -> set[str]:
    """Every public function that is given more than octets, text and numbers; every method."""
    names = set()
    for file in FILES:
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                types = {ast.unparse(each.annotation) for each in given if each.annotation}
                if types - UNCHANGEABLE:
                    names.add(f"{file.stem}.{node.name}")
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
                public = [name for name in methods if not name.startswith("_")]
                names.update(f"{file.stem}.{node.name}.{name}" for name in public)
    return names


def test_a_change_would_be_noticed() -> None:
    """Of what a head says, only what was forced upon it can change."""
    request, answer = get(HOST, b"Cookie: a=b"), answered(b"Location: /")
    before = copied(request), copied(answer)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.target = b"/x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.section.index[b"cookie"] = ()  # type: ignore[index]
    assert (copied(request), copied(answer)) == before
    object.__setattr__(request.section, "index", {b"cookie": (b"c=d",)})
    object.__setattr__(answer, "names", ())
    assert copied(request) != before[0]
    assert copied(answer) != before[1]


CHANGES = [
    ("def rule(fields: list) -> None:\n    fields.sort()", "fields"),
    ("def rule(fields: list) -> None:\n    fields[0] = (b'c', b'd')", "fields"),
    ("def rule(head, _: list) -> None:\n    object.__setattr__(head, 'target', b'/x')", "head"),
    ("def rule(head, fields: list) -> None:\n    del fields[:]", "fields"),
]


@pytest.mark.parametrize(("source", "parameter"), CHANGES)
def test_a_rule_that_changes_something_is_found(source: str, parameter: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(source, str(FOLDER / "planted.py"), "exec"), names)
    given: list[Any] = [[(b"b", b""), (b"a", b"")]]
    if "head" in source:
        given.insert(0, get(HOST))
    with watched() as watch:
        names["rule"](*given)
    assert watch.changed == watch.replaced == {Changed("planted.rule", parameter)}

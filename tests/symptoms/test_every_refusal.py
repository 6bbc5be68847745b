"""Everything that labgate's code can refuse has an explanation: the table is the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxy
from proxy.errors import STATUS_OF
from proxy.rules.decision import Refuse
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from tests.symptoms.passed import SITE, head

ROOT = Path(proxy.__file__).parent


def refusals() -> Iterator[tuple[int, str]]:
    """Status and rule of every ``Refuse`` that is written with both."""
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refuse":
                values = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
                match values:
                    case [int(status), str(rule)]:
                        yield status, rule


ALL = sorted({*refusals(), (400, "framing"), (413, "content-length"), (431, "fields")})


def test_the_code_was_read() -> None:
    assert {status for status, _ in ALL} >= {400, 401, 403, 404, 405, 414, 421, 429, 431, 501, 505}


@pytest.mark.parametrize(("status", "rule"), ALL)
def test_every_refusal_is_explained(status: int, rule: str) -> None:
    refusal = Refuse(status, rule, "The reason.", "Origin")
    told = explain(Evidence(SITE, head("GET /a"), status, refusal=refusal))
    assert told is not None
    assert told.sentence
    assert told.symptom.title


@pytest.mark.parametrize("status", sorted(set(STATUS_OF.values())))
def test_every_failure_of_the_upstream_is_explained(status: int) -> None:
    told = explain(Evidence(SITE, head("GET /a"), status, outcome="connection refused"))
    assert told is not None
    assert "connection refused" in told.sentence

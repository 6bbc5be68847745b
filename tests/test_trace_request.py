"""A warm GET crosses few files in few calls; CONTRIBUTING shows which, and so does the package."""

from __future__ import annotations

import re
from pathlib import Path

import proxy
from tests.trace_request import summary, warm_get

MAX_CALLS = 30
CONTRIBUTING = Path(__file__).parent.parent / ".github" / "CONTRIBUTING.md"
LIFE = str(proxy.__doc__).split("::\n\n", 1)[1].split("\n\n", 1)[0]
"""The life of a request, as ``proxy/__init__.py`` tells it."""


def missing_from(life: str, files: list[str]) -> list[str]:
    """The first of the traced ``files`` that ``life`` does not name in its order, and the rest."""
    named = iter(re.findall(r"\b[a-z]\w*\.[a-z]\w*", life))
    # Membership in an iterator looks only behind what was found before.
    return [file for file in files if file.removesuffix(".py").replace("/", ".") not in named]


async def test_a_warm_get() -> None:
    trace = await warm_get()
    assert trace.between <= MAX_CALLS
    shown = CONTRIBUTING.read_text("utf-8")
    assert summary(trace) in shown, (
        "replace it by what .venv/bin/python -m tests.trace_request prints last"
    )
    assert missing_from(LIFE, trace.files) == [], "tell it in proxy/__init__.py"


def test_a_file_that_is_not_named_in_order_is_found() -> None:
    life = "http1.server reads, rules.decide decides. proxying.pool, and http1.server again."
    assert missing_from(life, ["http1/server.py", "rules/decide.py", "http1/server.py"]) == []
    assert missing_from(life, ["proxying/pool.py", "rules/decide.py"]) == ["rules/decide.py"]
    assert missing_from(life, ["proxying/router.py"]) == ["proxying/router.py"]

"""A warm GET crosses few files in few calls, and CONTRIBUTING shows which."""

from __future__ import annotations

from pathlib import Path

from tests.trace_request import summary, warm_get

MAX_CALLS = 30
CONTRIBUTING = Path(__file__).parent.parent / ".github" / "CONTRIBUTING.md"


async def test_a_warm_get() -> None:
    trace = await warm_get()
    assert trace.between <= MAX_CALLS
    shown = CONTRIBUTING.read_text("utf-8")
    assert summary(trace) in shown, (
        "replace it by what .venv/bin/python -m tests.trace_request prints last"
    )

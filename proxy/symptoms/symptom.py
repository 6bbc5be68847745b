"""What a symptom is.

Tested by tests/symptoms/test_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a symptom matters."""

    ERROR = "error"
    """Something does not work, or is open that must not be."""

    WARNING = "warning"
    """It works for most people at most times."""

    NOTE = "note"
    """It works, and could be better."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that can be wrong.

    Attributes:
        id: As in ``labgate doctor --json``; stable, because scripts compare it.
        severity: How much it matters.
        title: What is wrong, in a sentence without its full stop.
        check: Jupyter's check, named with its function, or the proxy's setting behind it, named
            with its directive.
    """

    id: str
    severity: Severity
    title: str
    check: str

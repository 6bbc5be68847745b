"""Why something was refused: a symptom, and a sentence about this case.

Tested by tests/symptoms/test_explain.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import SYMPTOMS, Symptom


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something was refused.

    Attributes:
        symptom: What it is a case of.
        sentence: What happened here, and whose doing it is; secrets are redacted.
        field: The header field at fault; empty if it is none.
    """

    symptom: Symptom
    sentence: str
    field: str = ""


def explained(id: str, sentence: str, field: str = "") -> Explanation:  # noqa: A002
    """The explanation of a case of the symptom ``id``."""
    return Explanation(SYMPTOMS[id], sentence, field)

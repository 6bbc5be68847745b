"""One thing that was looked at.

Tested by tests/check/test_everything.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How good it is. A fault keeps labgate from serving, a remark is worth knowing."""

    GOOD = "good"
    REMARK = "remark"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        subject: What was looked at, in a word or two: ``Certificate``.
        text: A sentence or more; for a fault with what to do.
        level: How good it is.
    """

    subject: str
    text: str
    level: Level = Level.GOOD


def fault(subject: str, text: object) -> Verdict:
    """Something that keeps labgate from serving."""
    return Verdict(subject, str(text), Level.FAULT)


def remark(subject: str, text: object) -> Verdict:
    """Something that is worth knowing."""
    return Verdict(subject, str(text), Level.REMARK)

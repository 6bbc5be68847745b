"""What somebody probably meant who mistyped a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(written: object, known: Iterable[str]) -> str:
    """``; did you mean X?`` where something known is close to it, else nothing."""
    close = difflib.get_close_matches(str(written).lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def with_full_stop(sentence: str) -> str:
    """With a full stop, unless it is a question."""
    return sentence if sentence.endswith(("?", ".", "…")) else f"{sentence}."

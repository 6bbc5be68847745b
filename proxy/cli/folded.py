"""Text for a terminal, folded between words only.

A terminal itself breaks a long line anywhere, and so do tables: a field's name or an address in two
parts cannot be read at a glance, and not be copied.
"""

from __future__ import annotations

from textwrap import wrap

MIN_COLUMNS = 20
"""A column of text is never made narrower than this."""


def folded(text: str, columns: int) -> list[str]:
    """The lines of a text, at least one.

    A line is longer than ``columns`` only if it is a single word.
    """
    lines = wrap(text, max(columns, MIN_COLUMNS), break_long_words=False, break_on_hyphens=False)
    return lines or [""]

"""Suggestions for misspelled words.

Tested by tests/config/test_problems.py and tests/cli/test_parser.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def did_you_mean(written: object, known: Iterable[str]) -> str:
    """``; did you mean X?`` if a known word is similar, otherwise empty."""
    import difflib  # noqa: PLC0415  only where a word is unknown

    close = difflib.get_close_matches(str(written).lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def not_among(written: object, known: Sequence[str]) -> str:
    """What is said of a word that is none of the known ones."""
    return f"{written!r} is none of {', '.join(known)}{did_you_mean(written, known)}"


def with_full_stop(sentence: str) -> str:
    """The sentence with a full stop, unless it ends with other punctuation."""
    return sentence if sentence.endswith(("?", ".", "…")) else f"{sentence}."


def as_typed(sentence: str, typed: Mapping[str, str]) -> str:
    """Replace names of keys by the options that were typed.

    Args:
        sentence: Names keys, as ``jupyter.home``.
        typed: Key and option of what was on the command line.
    """
    names = dict(typed)
    if names.keys() & {"tls.cert", "tls.key"}:  # one of them without the other is the mistake
        names |= {"tls.cert": "--cert", "tls.key": "--key"}
    # The option takes no value: it says "false" by itself.
    if switch := names.pop("listen.tls", ""):
        sentence = sentence.replace("listen.tls = false", switch)
    for key, option in names.items():
        if option not in sentence:
            sentence = re.sub(rf"(?<![\w.]){re.escape(key)}(?!\w|\.\w)", option, sentence)
    return sentence

"""Secrets in text that may hold JSON: whole, cut off anywhere, or inside a page.

One pass over the text, in time proportional to its length: it comes from strangers.
Tested by tests/inspector/test_content.py.
"""

from __future__ import annotations

import re
from collections.abc import Container

from proxy.rules.redaction import REDACTED
from proxy.rules.secret_names import is_secret_parameter

_IN_QUOTES = r'"(?:[^"\\]++|\\.)*+'
# The closing quote is left for the next match: in a page's text it may be an opening one.
_STRING = re.compile(_IN_QUOTES, re.DOTALL)
_COLON = re.compile(r'"\s*+:\s*+')
_PLAIN_VALUE = re.compile(_IN_QUOTES + r'(?:"|\\?\Z)|[^\s,\]}{\["]++', re.DOTALL)
_EMPTY = re.compile(r"\[\s*+\]|\{\s*+\}")
_STRING_OR_BRACKET = re.compile(_IN_QUOTES + r'"?|[\[\]{}]', re.DOTALL)


def without_json_secrets(text: str, public: Container[str] = ()) -> str:
    """``text`` with ``[redacted]`` for every value whose name says that it is secret.

    A list or an object is redacted to its end, or to the end of the text if it is cut off.

    Args:
        text: Any text.
        public: Names that sound like secrets and hold none.
    """
    parts: list[str] = []
    done = place = 0
    while (string := _STRING.search(text, place)) is not None:
        place = string.end()
        colon = _COLON.match(text, place)
        if colon is None:
            continue
        name = string[0][1:]
        if name in public or not is_secret_name(name):
            continue
        end = _end_of_value(text, colon.end())
        if end > colon.end():
            parts += (text[done : colon.end()], f'"{REDACTED.decode("ascii")}"')
            done = place = end
    return "".join((*parts, text[done:]))


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is secret."""
    return is_secret_parameter(name.encode("utf-8", "replace"))


def _end_of_value(text: str, start: int) -> int:
    """Where the value ends that begins at ``start``; ``start`` if there is nothing to hide."""
    if text[start : start + 1] not in ("[", "{"):
        plain = _PLAIN_VALUE.match(text, start)
        return start if plain is None else plain.end()
    if _EMPTY.match(text, start):
        return start
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, start):
        if found[0] in ("[", "{"):
            depth += 1
        elif found[0] in ("]", "}"):
            depth -= 1
            if not depth:
                return found.end()
    return len(text)

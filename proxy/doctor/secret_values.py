"""Removes secret values from what is shown, in every way that a server may repeat them. Pure."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from proxy.rules.redaction import REDACTED

MIN_CHARACTERS = 3
"""Shorter values are in too many words to be removed."""


class SecretValues:
    """The values of tokens, passwords and cookies that a visit knows."""

    def __init__(self) -> None:
        self._forms: set[bytes] = set()

    def add(self, value: str) -> None:
        """Know one more."""
        if len(value) >= MIN_CHARACTERS:
            self._forms |= set(_forms(value))

    def removed(self, text: bytes) -> bytes:
        """``text`` without them; the longest first, because one may be part of another."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, REDACTED)
        return text

    def removed_from(self, text: str) -> str:
        """The same for text."""
        return self.removed(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def _forms(value: str) -> Iterator[bytes]:
    """As it is, in a form, in a URL, in a page, and in JSON."""
    for text in (value, html.escape(value), json.dumps(value)[1:-1]):
        yield text.encode("utf-8", "surrogateescape")
    for encoded in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield encoded.encode("ascii")
        yield encoded.replace("%2F", "%2f").lower().encode("ascii")
    yield value.encode("latin-1", "replace")

"""Secrets are removed however a server repeats them."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from proxy.doctor.secret_values import SecretValues

SECRET = 'a "b" <ü>/&'


@pytest.mark.parametrize(
    "repeated", [SECRET, quote(SECRET), quote_plus(SECRET), escape(SECRET), json.dumps(SECRET)]
)
def test_removed(repeated: str) -> None:
    secrets = SecretValues()
    secrets.add(SECRET)
    assert secrets.removed_from(f"before {repeated} after").strip('"') in (
        "before [redacted] after",
        'before "[redacted]" after',
    )


def test_one_secret_may_begin_another() -> None:
    secrets = SecretValues()
    for value in ("abc", "abcdef", "", "a"):
        secrets.add(value)
    assert secrets.removed(b"abcdef abc a") == b"[redacted] [redacted] a"

"""The survivors that are known.

``accepted.toml`` has those that stay: no test should fail because of them. ``open.toml`` has those
that a test should find one day. Both have tables ``[[survivors]]`` with a ``reason`` and a list
``mutants`` of keys.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent


def read(name: str) -> dict[str, str]:
    """The keys in ``accepted.toml`` or ``open.toml``, each with its reason.

    Raises:
        ValueError: A key is listed twice.
    """
    known: dict[str, str] = {}
    for group in tomllib.loads((FOLDER / name).read_text("utf-8")).get("survivors", ()):
        for key in map(str.strip, group["mutants"]):
            if key in known:
                raise ValueError(f"{name}: this is listed twice:\n{key}")
            known[key] = group["reason"]
    return known


def as_toml(key: str) -> str:
    """A key as it stands in the files."""
    return f"'''\n{key}''',"

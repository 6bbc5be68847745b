"""Writes a value as TOML."""

from __future__ import annotations

import json
from typing import Any


def toml_value(value: Any) -> str:
    """A value of a key, as it stands in the file; the strings of JSON are strings of TOML."""
    match value:
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(toml_value(one) for one in value)}]"
        case float():
            return f"{value:.15g}"
        case int():
            return str(value)
        case _:
            return json.dumps(str(value), ensure_ascii=False)

"""The files of ``config/`` that labgate brings along: the units and the configuration."""

from __future__ import annotations

from pathlib import Path

IN_WHEEL = Path(__file__).with_name("files")
"""Where the wheel puts them (pyproject.toml); a clone has them in ``config/``."""
IN_CLONE = Path(__file__).parents[2] / "config"


def shipped_file(name: str) -> str:
    """The content of ``config/NAME``."""
    folder = IN_WHEEL if (IN_WHEEL / name).exists() else IN_CLONE
    return (folder / name).read_text("utf-8")

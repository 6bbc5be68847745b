"""The section ``[log]``. Tested by tests/config/test_load.py."""

from __future__ import annotations

from typing import Literal

from proxy.config.section import Section


class LogSettings(Section):
    """``[log]``: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    access: bool | None = None
    health: bool = False
    show_headers: bool = False
    show_headers_only: Literal["all", "errors"] = "all"
    show_headers_filter: str = ""

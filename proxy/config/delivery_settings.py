"""The sections ``[compression]`` and ``[cache]``: how responses reach clients sooner.

Tested by tests/config/test_load.py and tests/test_builders.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.config.section import Section


class CompressionSettings(Section):
    """``[compression]``: the content codings of responses."""

    enabled: bool = True


class CacheSettings(Section):
    """``[cache]``: static files that Jupyter need not be asked for."""

    enabled: bool = True
    memory_mib: Annotated[int, Field(ge=1, le=4096)] = 32

"""The section ``[compression]``: how responses reach clients sooner.

Tested by tests/config/test_load.py and tests/test_builders.py.
"""

from __future__ import annotations

from proxy.config.section import Section


class CompressionSettings(Section):
    """``[compression]``: the content codings of responses."""

    enabled: bool = True

"""Switches the capture on and off.

Tested by tests/admin/test_exchanges.py.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.ring import Ring


class Inspector:
    """What was captured, and whether more is.

    Attributes:
        ring: The latest exchanges.

    Args:
        ring: Gets the exchanges.
        use: Given the recorder for the requests that begin from now on; None for none.
    """

    def __init__(self, ring: Ring, use: Callable[[Recorder | None], None]) -> None:
        self.ring = ring
        self._recorder: Recorder | None = None
        self._use = use

    @property
    def options(self) -> CaptureOptions | None:
        """What is captured; None while the inspector is off, also because of a fault."""
        recorder = self._recorder
        return None if recorder is None or recorder.guard.faulty else recorder.options

    def switch(self, options: CaptureOptions | None) -> None:
        """Capture exchanges that begin from now on, or none."""
        self._recorder = Recorder(self.ring, options) if options is not None else None
        self._use(self._recorder)

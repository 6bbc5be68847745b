"""What the captures of all exchanges share.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.inspector.captured_heads import HeadCaptures
from proxy.inspector.guard import Guard
from proxy.inspector.ring import Ring
from proxy.observe.record import Record


@dataclass(slots=True)
class CaptureContext:
    """One for all captures of a recorder.

    Attributes:
        ring: Gets the exchanges.
        guard: Everything that is done for the capture alone is done in it.
        heads: Captures heads.
        unseen: The records of open exchanges that the ring does not have yet, by their numbers.
        clock_began: The Unix time of the beginning of ``time.monotonic``, as the system's clock is
            set now.
    """

    ring: Ring
    guard: Guard = field(default_factory=Guard)
    heads: HeadCaptures = field(default_factory=HeadCaptures)
    unseen: dict[int, Record] = field(default_factory=dict)
    clock_began: float = 0.0

"""Limits frames that cost labgate more than the client; no I/O.

HTTP/1.1 has nothing like it: its requests come one after the other, and each costs its client a
response. Here a client can open and reset streams without end (CVE-2023-44487), have labgate reset
them (CVE-2025-8671), ask for acknowledgements, or take a response in pieces of one octet. Each kind
has a budget, which time fills again; a browser never comes near one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from proxy.http2.frame_reader import END_STREAM, PADDED, FrameHeader, FrameType


class Flood(Enum):
    """What is counted, in the words of the log."""

    RESETS = "resets of streams"
    SETTINGS = "SETTINGS frames"
    PINGS = "PING frames"
    PRIORITIES = "frames about priorities, and unknown ones"
    CONTINUATIONS = "CONTINUATION frames"
    WINDOW_UPDATES = "WINDOW_UPDATE frames"
    EMPTY_DATA = "DATA frames without content"
    LATE_DATA = "DATA frames of closed streams"
    TINY_WINDOWS = "windows of a few octets"


class Budget(NamedTuple):
    """So many at once, and so many more each second."""

    burst: float
    per_second: float


BUDGETS = {
    # Chromium resets what a page that is left has asked for: a hundred streams at a time.
    Flood.RESETS: Budget(500, 33),
    Flood.SETTINGS: Budget(50, 5),
    Flood.PINGS: Budget(100, 10),
    Flood.PRIORITIES: Budget(1000, 100),
    Flood.CONTINUATIONS: Budget(500, 50),
    # As many again as frames were sent to the client, whose windows they open.
    Flood.WINDOW_UPDATES: Budget(1000, 100),
    Flood.EMPTY_DATA: Budget(200, 20),
    # What was on its way as labgate reset the stream: 16 frames fill a stream's window.
    Flood.LATE_DATA: Budget(2000, 200),
    Flood.TINY_WINDOWS: Budget(200, 20),
}

MAX_PADDING_BYTES = 256
"""Of one DATA frame, with the octet that says how many; a longer frame has content, too."""
UPDATES_PER_FRAME = 4
"""Of the stream's window and the connection's, whatever share of them the client waits for."""

_BY_TYPE = {
    FrameType.PRIORITY: Flood.PRIORITIES,
    FrameType.RST_STREAM: Flood.RESETS,
    FrameType.SETTINGS: Flood.SETTINGS,
    FrameType.PING: Flood.PINGS,
    FrameType.CONTINUATION: Flood.CONTINUATIONS,
    FrameType.WINDOW_UPDATE: Flood.WINDOW_UPDATES,
}


def flood_of(frame: FrameHeader) -> Flood | None:
    """What the frame counts as; None for one that has its own limits, as a request."""
    if frame.kind == FrameType.HEADERS:
        return None
    if frame.kind == FrameType.DATA:
        padding_alone = frame.flags & PADDED and frame.length <= MAX_PADDING_BYTES
        empty = (not frame.length and not frame.flags & END_STREAM) or padding_alone
        return Flood.EMPTY_DATA if empty else None
    if frame.kind > FrameType.CONTINUATION:
        return Flood.PRIORITIES
    return _BY_TYPE.get(FrameType(frame.kind))


class FloodLimits:
    """What is left of each budget on one connection."""

    __slots__ = ("_left", "_unreported_data")

    def __init__(self) -> None:
        self._unreported_data = 0
        self._left: dict[Flood, tuple[float, float]] = {}

    def exceeded_by(self, frames: Iterable[FrameHeader], now: float) -> Flood | None:
        """Count frames that a client has sent.

        Args:
            frames: Their headers.
            now: ``time.monotonic()``.
        """
        for frame in frames:
            flood = flood_of(frame)
            if flood is not None and not self.count(flood, now):
                return flood
        return None

    def count(self, flood: Flood, now: float, times: int = 1) -> bool:
        """Count something else; False if it was too much.

        Args:
            flood: Its kind.
            now: ``time.monotonic()``.
            times: How often it has happened.
        """
        burst, per_second = BUDGETS[flood]
        left, since = self._left.get(flood, (burst, now))
        left = min(burst, left + (now - since) * per_second) - times
        self._left[flood] = left, now
        return left >= 0

    def late_data(self, frames: Iterable[FrameHeader], reported: int, now: float) -> bool:
        """Count DATA frames that h2 has dropped; False if they were too many.

        Args:
            frames: Which began.
            reported: How many DATA frames h2 has reported since then.
            now: ``time.monotonic()``.
        """
        data = sum(frame.kind == FrameType.DATA for frame in frames)
        self._unreported_data += data - reported
        # One may be incomplete.
        late = self._unreported_data - 1
        if late <= 0:
            return True
        self._unreported_data = 1
        return self.count(Flood.LATE_DATA, now, late)

    def sent(self, frames: int) -> None:
        """So many DATA frames were sent, for which the client may open its windows again."""
        left = self._left.get(Flood.WINDOW_UPDATES)
        if left is not None:
            burst = BUDGETS[Flood.WINDOW_UPDATES].burst
            most = min(burst, left[0] + frames * UPDATES_PER_FRAME)
            self._left[Flood.WINDOW_UPDATES] = most, left[1]

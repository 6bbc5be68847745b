"""Pings the clients of silent WebSockets, so that no network in between drops the connection.

Mobile networks and load balancers drop a connection after a minute or so without data, and tell
neither side. labgate sends the client a ping between two frames (RFC 6455 section 5.5.2) and
removes its pong, so that Jupyter sees neither. Tested by tests/proxying/test_tunnel_keepalive.py.
"""

from __future__ import annotations

import secrets
from time import monotonic

from proxy.proxying.frame_walker import PAYLOAD_BYTES, FrameWalker, ping

MAX_UNANSWERED = 4
"""Pings whose pongs labgate still removes. A later pong goes to Jupyter, which ignores it (section
5.5.3)."""


class TunnelKeepalive:
    """The pings of one tunnel.

    Attributes:
        down: Follows what Jupyter sends.
        up: Follows what the client sends.
        waiting: Whether a pong may arrive; then pass the client's bytes to ``without_pongs``.
        unanswered: The payloads of the pings without a pong, the oldest first.
    """

    __slots__ = ("_bytes_before", "_silent_since", "down", "unanswered", "up", "waiting")

    def __init__(self) -> None:
        self.down = FrameWalker(masked=False)
        self.up = FrameWalker(masked=True)
        self.waiting = False
        self.unanswered: list[bytes] = []
        self._bytes_before = 0
        self._silent_since = monotonic()

    def without_pongs(self, data: bytes) -> bytes:
        """Follow the client's bytes while it is waited for a pong; returns the others."""
        passed = self.up.without_pongs(data, self.unanswered)
        self.waiting = bool(self.unanswered or self.up.held)
        return passed

    def due_ping(self, passed_bytes: int, now: float, silent_seconds: float) -> bytes:
        """The ping to send now; empty for none.

        Args:
            passed_bytes: Of both directions up to now, labgate's own pings left out.
            now: ``time.monotonic()``.
            silent_seconds: How long no byte has passed before a ping.
        """
        if passed_bytes != self._bytes_before:
            self._bytes_before, self._silent_since = passed_bytes, now
        elif now - self._silent_since >= silent_seconds and self._may_ping:
            self._silent_since = now
            payload = secrets.token_bytes(PAYLOAD_BYTES)
            self.waiting = True
            self.unanswered = [*self.unanswered, payload][-MAX_UNANSWERED:]
            return ping(payload)
        return b""

    @property
    def _may_ping(self) -> bool:
        return self.down.between_frames and not self.up.lost

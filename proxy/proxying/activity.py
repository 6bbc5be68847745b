"""When an upstream was last used."""

from __future__ import annotations

from time import time


class Activity:
    """Is told what passes; a Hub culls servers by it.

    Attributes:
        at: The Unix time in seconds of the last use.
    """

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at

    def on_data(self) -> None:
        """A WebSocket carried something, in either direction."""
        self.at = time()

    def on_response(self, status: int) -> None:
        """A response is complete, or a 101; that, redirects and errors are no use."""
        if 200 <= status < 300:
            self.at = time()

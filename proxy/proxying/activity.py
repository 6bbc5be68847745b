"""When an upstream was last used."""

from __future__ import annotations

from time import time


class Activity:
    """Stores when an upstream was last used; a JupyterHub stops idle servers by this time.

    Attributes:
        at: The Unix time in seconds of the last use.
    """

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at

    def on_data(self) -> None:
        """A WebSocket carried data, in either direction."""
        self.at = time()

    def on_response(self, status: int) -> None:
        """A response is complete. Only 2xx counts as use: not 101, redirects and errors."""
        if 200 <= status < 300:
            self.at = time()

"""A route as the Hub added it.

Of a Hub's tens of thousands few are in use at a time, so what one holds is kept small. Tested by
tests/hub/test_route_table.py.
"""

from __future__ import annotations

import json
from typing import Any

from proxy.hub.stored_route import StoredRoute
from proxy.proxying.activity import Activity
from proxy.proxying.router import Route


class HubRoute(Activity):
    """A route, with the time of its last use: one object, because another takes 56 octets.

    Attributes:
        path: Its key: decoded, with a slash before and none behind.
        content: What the Hub gave with it, the target included: JSON, because objects would take
            four times the memory.
        used: For the requests; None until one comes.
        reported_at: The last activity that the process with the Hub's API knows.
        was_idle: Whether it had no connection when that was looked at last.
    """

    __slots__ = ("content", "path", "reported_at", "used", "was_idle")

    def __init__(self, path: str, content: str, at: float, reported_at: float = 0.0) -> None:
        super().__init__(at)
        self.path = path
        self.content = content
        self.used: Route | None = None
        self.reported_at = reported_at
        self.was_idle = False

    @property
    def data(self) -> dict[str, Any]:
        """What the Hub gave with it."""
        found: dict[str, Any] = json.loads(self.content)
        return found

    @property
    def url(self) -> str:
        """The target."""
        return str(self.data["target"])

    @property
    def stored(self) -> StoredRoute:
        """The route as it is kept on the disk."""
        return StoredRoute(self.path, self.content, self.at)

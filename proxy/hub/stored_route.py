"""A route as a line of the file that keeps it: JSON.

Tested by tests/hub/test_journal.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

_BEGINNING = b'{"path":"'
"""How each line begins, by which a line that was cut is told from another file's."""

to_json = json.JSONEncoder(separators=(",", ":")).encode
"""JSON without spaces and line ends."""


class StoredRoute(NamedTuple):
    """A route as it is kept.

    Attributes:
        path: Its key, as ``/user/ada``.
        data: What the Hub gave with it, the target included: JSON of ``to_json``.
        last_activity: The Unix time in seconds.
    """

    path: str
    data: str
    last_activity: float


def route_lines(routes: Sequence[StoredRoute]) -> bytes:
    """A file with these routes."""
    return b"".join(map(route_line, routes))


def route_line(route: StoredRoute) -> bytes:
    """The line that keeps a route, or its change."""
    path, data, at = to_json(route.path), route.data, route.last_activity
    return f'{{"path":{path},"data":{data},"last_activity":{at!r}}}\n'.encode("ascii")


def removal_line(path: str) -> bytes:
    """The line that says that a route is kept no more."""
    return to_json({"path": path, "removed": True}).encode("ascii") + b"\n"


def has_route_line(content: bytes) -> bool:
    """Whether a file has a line that labgate began, though it may have been cut."""
    return content.startswith(_BEGINNING) or b"\n" + _BEGINNING in content


def read_route_lines(content: bytes) -> tuple[dict[str, StoredRoute], list[int]]:
    """The routes by their paths, and the numbers of the lines that are not of labgate's form."""
    found: dict[str, StoredRoute] = {}
    unread = []
    for number, written in enumerate(content.split(b"\n"), 1):
        if not written:
            continue
        try:
            _apply(json.loads(written), found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            unread.append(number)
    return found, unread


def _apply(entry: dict[str, Any], found: dict[str, StoredRoute]) -> None:
    path = str(entry["path"])
    if entry.get("removed"):
        found.pop(path, None)
        return
    data = dict(entry["data"])
    if not isinstance(data["target"], str):
        raise TypeError(path)
    found[path] = StoredRoute(path, to_json(data), float(entry["last_activity"]))

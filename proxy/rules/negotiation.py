"""Content negotiation for labgate's own responses: an HTML page, JSON or plain text."""

from __future__ import annotations

from enum import Enum, auto

from .head import RequestHead

MAX_MEDIA_RANGES = 32
"""The limit of entries of Accept that are parsed; browsers send up to ten."""


class Representation(Enum):
    """The representations of a response (RFC 9110 section 3.2)."""

    PAGE = auto()
    """An HTML page, for people."""
    JSON = auto()
    """An object with ``message``, as of Jupyter's API."""
    TEXT = auto()
    """One sentence in plain text."""


def representation(head: RequestHead) -> Representation:
    """The representation that suits the client best.

    Accept decides (RFC 9110 section 12.5.1); of equal weights, the first. A page is sent only for
    navigations, if the browser sends Sec-Fetch-Mode. A script gets JSON if it names no type:
    JupyterLab sends ``*/*`` and shows the ``message`` (``ServerConnection.ResponseError.create``).
    """
    modes = head.values(b"sec-fetch-mode")
    scripted = head.values(b"sec-fetch-dest") == (b"empty",)
    best = Representation.JSON if scripted else Representation.TEXT
    best_weight = 0.0
    for media_type, weight in _accepted(head):
        named = _NAMED.get(media_type)
        if named is None or (named is Representation.PAGE and modes and modes != (b"navigate",)):
            continue
        if weight > best_weight:
            best, best_weight = named, weight
    return best


def is_navigation(head: RequestHead) -> bool:
    """Whether a browser opens a page, in contrast to the request of a script or program."""
    return representation(head) is Representation.PAGE


_NAMED = {
    b"text/html": Representation.PAGE,
    b"application/json": Representation.JSON,
    b"text/plain": Representation.TEXT,
}


def _accepted(head: RequestHead) -> list[tuple[bytes, float]]:
    """Media ranges with their weights; other parameters are ignored."""
    ranges = b",".join(head.values(b"accept")).split(b",", MAX_MEDIA_RANGES)[:MAX_MEDIA_RANGES]
    return [_weighed(entry) for entry in ranges]


def _weighed(entry: bytes) -> tuple[bytes, float]:
    media_type, *parameters = (part.strip().lower() for part in entry.split(b";"))
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name == b"q":
            return media_type, quality(value)
    return media_type, 1.0


def quality(value: bytes) -> float:
    """Parse the value of a weight (RFC 9110 section 12.4.2); 0 if it is malformed."""
    whole, _, decimals = value.partition(b".")
    if whole not in (b"0", b"1") or (decimals and not decimals.isdigit()) or len(decimals) > 3:
        return 0.0
    return min(1.0, float(value))

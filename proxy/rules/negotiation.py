"""As what an error is told: a page to people, JSON or a sentence to programs."""

from __future__ import annotations

from enum import Enum, auto

from .model import RequestHead

MAX_MEDIA_RANGES = 32
"""Entries of Accept that are looked at; browsers send up to ten."""


class Representation(Enum):
    """How one and the same thing is said (RFC 9110 section 3.2)."""

    PAGE = auto()
    """HTML, for a person's browser."""
    JSON = auto()
    """As Jupyter's own API says it: an object with ``message``."""
    TEXT = auto()
    """One sentence."""


def representation(head: RequestHead) -> Representation:
    """What whoever asks can make most of.

    Accept decides (RFC 9110 section 12.5.1), of equals the first. A page is for navigations
    only, where the browser says what it does. A page's script gets JSON when it names nothing
    else: JupyterLab asks for ``*/*`` and shows the ``message`` of what it gets
    (``ServerConnection.ResponseError.create``).
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
    """Whether a person's browser opens a page, and not a program or a script fetches."""
    return representation(head) is Representation.PAGE


_NAMED = {
    b"text/html": Representation.PAGE,
    b"application/json": Representation.JSON,
    b"text/plain": Representation.TEXT,
}


def _accepted(head: RequestHead) -> list[tuple[bytes, float]]:
    """Media ranges with their weights; other parameters count for nothing."""
    ranges = b",".join(head.values(b"accept")).split(b",", MAX_MEDIA_RANGES)[:MAX_MEDIA_RANGES]
    return [_weighed(entry) for entry in ranges]


def _weighed(entry: bytes) -> tuple[bytes, float]:
    media_type, *parameters = (part.strip(b" \t").lower() for part in entry.split(b";"))
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name == b"q":
            return media_type, _weight(value)
    return media_type, 1.0


def _weight(value: bytes) -> float:
    """RFC 9110 section 12.4.2; what is no weight weighs nothing."""
    whole, _, decimals = value.partition(b".")
    if whole not in (b"0", b"1") or (decimals and not decimals.isdigit()) or len(decimals) > 3:
        return 0.0
    return min(1.0, float(value))

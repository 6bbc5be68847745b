"""The decisions about a request that ``decide`` returns.

Tested by tests/rules/test_decide.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .head import Field, RequestHead


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with ``status`` and this Location."""

    status: Literal[301, 308]
    location: str


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer with ``status`` and this sentence."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Internal:
    """Send ``head`` to labgate's own application (``proxy.web``) and relay the answer."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error; ``sentence`` is told to the client, the rest to the log.

    ``field`` and ``value`` are the header field at fault (empty when it is none, None when
    the request has no such field); ``close`` when nothing that follows on the connection can
    be trusted; ``fields`` belong into the answer. ``hint`` tells the operator what to do: it
    may name what a stranger is not told.
    """

    status: int
    rule: str
    sentence: str
    field: str = ""
    value: bytes | None = None
    close: bool = False
    fields: tuple[Field, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """Send ``head``, which is in origin-form or ``*``, up and relay the answer."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Send the WebSocket handshake up; after the 101, relay raw bytes both ways."""

    head: RequestHead


Decision = Redirect | Respond | Refuse | Internal | Forward | Tunnel

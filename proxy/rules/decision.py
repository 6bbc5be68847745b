"""The decisions about a request that ``decide`` returns.

Tested by tests/rules/test_decide.py and tests/rules/test_refusals.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .head import Field, RequestHead


@dataclass(frozen=True, slots=True)
class Redirect:
    """Respond with ``status`` and this Location."""

    status: Literal[301, 308]
    location: str


@dataclass(frozen=True, slots=True)
class Respond:
    """Respond with ``status`` and this sentence."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Internal:
    """Send ``head`` to labgate's web application (``proxy.web``) and forward its response."""

    head: RequestHead


@dataclass(frozen=True, slots=True)
class Refuse:
    """Respond with an error.

    Attributes:
        status: The status.
        rule: The name of the rule that refused, for the log.
        sentence: The explanation for the client.
        field: The name of the header field at fault, for the log; empty if it is none.
        value: The value of that field, for the log; None if the request does not have it.
        close: Close the connection, because the octets that follow cannot be trusted.
        fields: Fields of the response.
        hint: What the operator should do, for the log; clients never see it.
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
    """Send ``head``, in origin-form or asterisk-form, to Jupyter and forward its response.

    ``would_refuse`` is the refusal that was not carried out, because labgate only observes: then
    Host, Origin and Referer go up as they came.
    """

    head: RequestHead
    would_refuse: Refuse | None = None


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Send the WebSocket handshake to Jupyter; after its 101, forward raw bytes both ways.

    ``would_refuse`` as with ``Forward``.
    """

    head: RequestHead
    would_refuse: Refuse | None = None


Admitted = Forward | Tunnel | Internal
"""What access control is asked about."""

Decision = Redirect | Respond | Refuse | Admitted

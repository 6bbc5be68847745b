"""One exchange as it is reported when it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.rules.model import Change, RequestHead


@dataclass(slots=True)
class Record:
    """What is known of an exchange; filled while it runs.

    Attributes:
        head: The request as it came in.
        status: What the client was answered; 0 when it got nothing.
        outcome: ``forwarded``, ``tunnelled``, ``redirected``, ``answered here``,
            ``refused (rule)`` or what went wrong.
        bytes_up: Content received from the client; through a tunnel, everything.
        bytes_down: Content sent to the client; through a tunnel, everything.
        seconds: From the complete request head to the end of the answer.
        changes_up: What the rules did to the request's fields.
        changes_down: What the rules did to the response's fields.
    """

    head: RequestHead
    status: int = 0
    outcome: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    changes_up: list[Change] = field(default_factory=list)
    changes_down: list[Change] = field(default_factory=list)


Observer = Callable[[Record], None]

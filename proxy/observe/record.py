"""The record of one request, for access log, metrics and the inspector.

Tested by tests/proxying/test_request_handler.py and tests/observe/test_access_log.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Protocol

from proxy.messages import Responder
from proxy.rules.changes import Change
from proxy.rules.decision import Refuse
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.request_id import FIELD

log = logging.getLogger("labgate")


SentDown = tuple[int, bytes, tuple[Field, ...]]
"""Status, reason and fields of the head that the client got."""


FIRST_ERROR_STATUS = 400
"""From here on a response's content may say why (RFC 9110 section 15.5): a recording watches it."""


class Recording(Protocol):
    """Captures a request and its response.

    One object may serve many records, so each call names the record. ``Record.recording`` may be
    replaced by another one in the middle of a request.

    Attributes:
        watching: Whether it wants to see the response as it passes, and not only what the record
            says of it in the end.
    """

    watching: bool

    def watch(self, record: Record, responder: Responder) -> Responder:
        """See what is sent to the client; returns what it is to be sent to from now on."""

    def refused(self, record: Record, refusal: Refuse) -> None:
        """A rule refused it; if labgate only observes, it still goes up."""

    def dialling(self, record: Record) -> None:
        """A connection to the upstream is being opened for it."""

    def dialled(self, record: Record) -> None:
        """That connection is open."""

    def show(self, record: Record) -> object:
        """It takes long: show what is known by now."""

    def finish(self, record: Record) -> None:
        """The record is complete."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldsUp:
    """The fields that went up of one field section, but for the request's id, which is the last.

    Requests with the same section share it.

    Attributes:
        pairs: The fields.
        changes: What the rules did, except adding that id.
        number: Its own in this process, also when it is gone.
    """

    pairs: Sequence[Field]
    changes: Sequence[Change]
    number: int = field(default_factory=count().__next__, init=False)


NOTHING_UP = FieldsUp((), ())


@dataclass(slots=True)
class Record:
    """The data of a request and its response; completed while they run.

    Attributes:
        head: The request head as it was received.
        status: The status sent to the client; 0 if nothing was sent.
        outcome: ``forwarded``, ``tunnelled``, ``redirected``, ``answered here``,
            ``cached`` (a static file that Jupyter was not asked for),
            ``refused (rule)`` or the error.
        bytes_up: Bytes of content from the client; all bytes in a tunnel.
        bytes_down: Bytes of content to the client; all bytes in a tunnel.
        seconds: From the complete request head to the end of the response.
        warning: It was refused or failed; its line in the log is a warning.
        detail: Why it was refused: the field and value at fault; secrets redacted.
        recording: The inspector's capture; its ``finish`` is called when the record is complete.
        number: Its own among the captured; 0 if it is not captured.
        route: The name of its route where there are several; known if it is recorded, and of each
            tunnel.
        fields_up: The fields that went up. This and the following are known if the request is
            traced.
        changes_down: The rules' changes to the response's fields.
        upstream_target: The request's target as it went up; empty if nothing did.
        upstream_response: The response's head as it came down.
        sent_down: The head that was sent to the client.
        request_id: Names the request in logs, here and in those of other servers.
        user_agent: The client's, where ``head`` has lost its fields, as that of a tunnel has.
        started_at: When the request's head was complete (``time.monotonic``).
        admitted_at: When a slot and access control let it through, if it is recorded; else 0.0.
        sent_up_at: When the request went up. This and the following are known if the request is
            traced, or an observer hears of heads; 0.0 if there is no such time.
        request_ended_at: When all of it had gone up; 0.0 if the response came earlier.
        answered_at: When the response's head came.
    """

    head: RequestHead
    status: int = 0
    outcome: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    warning: bool = False
    detail: str = ""
    recording: Recording | None = None
    number: int = 0
    route: str = ""
    fields_up: FieldsUp = NOTHING_UP
    changes_down: Sequence[Change] = ()
    upstream_target: bytes = b""
    upstream_response: ResponseHead | None = None
    sent_down: SentDown | None = None
    request_id: bytes = b"-"
    user_agent: bytes = b""
    started_at: float = field(default_factory=monotonic)
    admitted_at: float = 0.0
    sent_up_at: float = 0.0
    request_ended_at: float = 0.0
    answered_at: float = 0.0

    def note_changes(self, changes: Iterable[Change]) -> None:
        """The rules have changed the response's fields once more."""
        self.changes_down = (*self.changes_down, *changes)

    @property
    def upstream_request(self) -> RequestHead | None:
        """The request's head as it went up; None if nothing did, or if nobody traced it."""
        if not self.upstream_target:
            return None
        head, fields = self.head, (*self.fields_up.pairs, (FIELD, self.request_id))
        return RequestHead(head.method, self.upstream_target, (1, 1), fields, head.arrival)


Observer = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Observers:
    """The functions called with the record of a request, by the moment of the call.

    Attributes:
        start: When the request's head is complete.
        head: When the head of the final response, or a 101, is about to be sent: ``status`` is
            known. Not called when there is no response.
        end: When the record is complete.
    """

    start: tuple[Observer, ...] = ()
    head: tuple[Observer, ...] = ()
    end: tuple[Observer, ...] = ()


NO_OBSERVERS = Observers()


def notify_observers(observers: Sequence[Observer], record: Record) -> None:
    """Call every one of ``observers``."""
    for observe in observers:
        try:
            observe(record)
        except OSError as error:
            # A response must not fail because the disk of a log is full.
            log.error("cannot record a request: %s", error.strerror or error)

"""Captures exchanges between a front and the proxying; both see only what they know.

The front gives the proxying a body and a responder (``proxy.messages``). While the inspector is
on, each exchange gets a ``Recording`` that stands between: it hands everything on at once, and
keeps a redacted copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic, time

from proxy.inspector.captured_sections import CapturedSections, head_of
from proxy.inspector.content import MAX_CONTENT_BYTES
from proxy.inspector.exchange import (
    CapturedHead,
    Exchange,
    captured_changes,
    captured_fields,
    captured_value,
)
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import RecordedConnection, TunnelRecorder
from proxy.inspector.ring import Ring
from proxy.messages import RawConnection, RequestBody, Responder
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.redaction import printable, redact_target
from proxy.rules.site import Site
from proxy.short_response import Response
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain

MAX_TARGET_CHARACTERS = 4096
FIRST_ERROR = 400
MAX_REASON_BYTES = 1024
"""Of an error's content: Jupyter's reason stands there. It explains, and is not shown itself."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What is captured beyond heads, times and sizes.

    Attributes:
        content: The beginning of bodies and WebSocket messages too, code and output included.
        max_content_bytes: How much of each.
    """

    content: bool = False
    max_content_bytes: int = MAX_CONTENT_BYTES


class Recorder:
    """Makes a recording of every exchange, and puts what it captured into the ring.

    Attributes:
        ring: The latest exchanges.
        options: For the exchanges that begin from now on.
    """

    def __init__(self, ring: Ring, options: CaptureOptions | None = None) -> None:
        self.ring = ring
        self.options = options if options is not None else CaptureOptions()
        self.sections = CapturedSections()

    def begin(
        self, record: Record, body: RequestBody, responder: Responder, site: Site
    ) -> Recording:
        """Record an exchange whose head has come; ``site`` is what the rules decide by."""
        record.recording = recording = Recording(self, record, body, responder, site)
        return recording


class Recording:
    """One exchange; the proxying's ``RequestBody`` and ``Responder`` while it is recorded."""

    def __init__(
        self,
        recorder: Recorder,
        record: Record,
        body: RequestBody,
        responder: Responder,
        site: Site,
    ) -> None:
        self._ring = recorder.ring
        self._sections = recorder.sections
        self._section = record.head.section
        self._options = recorder.options
        self._record = record
        self._site = site
        self._reason = bytearray()
        self._filled_at = 0.0
        self._body = body
        self.length = body.length
        self._responder = responder
        self._began = monotonic()
        head = record.head
        self._target = printable(redact_target(head.target), MAX_TARGET_CHARACTERS)
        self._method = printable(head.method)
        major, minor = head.version
        self.exchange = Exchange(
            started=time(),
            peer=head.arrival.peer,
            method=self._method,
            target=self._target,
            received=CapturedHead(
                f"{self._method} {self._target} HTTP/{major}.{minor}",
                self._sections.received(head.section),
            ),
            scheme="https" if site.https else "http",
        )
        self._content_up = self._content_down = None
        if self._options.content:
            limit = self._options.max_content_bytes
            self._content_up = ContentRecorder(limit)
            self._content_down = ContentRecorder(limit)
        self._tunnel: TunnelRecorder | None = None
        self._ring.add(self.exchange)

    # RequestBody

    def arrived(self) -> bytes | None:
        data = self._body.arrived()
        if data and self._content_up is not None:
            self._content_up.feed(data)
        return data

    def take(self) -> bytes | None:
        data = self._body.take()
        if data and self._content_up is not None:
            self._content_up.feed(data)
        return data

    def when_more(self, callback: Callable[[], None] | None) -> None:
        self._body.when_more(callback)

    # Responder

    @property
    def congested(self) -> bool:
        return self._responder.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._responder.when_writable(callback)

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._responder.send_interim(status, reason, fields)

    def send_head(
        self,
        status: int,
        reason: bytes,
        fields: list[Field],
        *,
        sized: bool,
        dated: bool,
        close: bool = False,
    ) -> list[Field]:
        added = self._responder.send_head(
            status, reason, fields, sized=sized, dated=dated, close=close
        )
        self._head_sent(status, reason, (*fields, *added))
        return added

    def send_body(self, data: bytes) -> None:
        if self._content_down is not None:
            self._content_down.feed(data)
        if self.exchange.status >= FIRST_ERROR and len(self._reason) < MAX_REASON_BYTES:
            self._reason += data[:MAX_REASON_BYTES]
        self._responder.send_body(data)

    def flush(self) -> None:
        self._responder.flush()

    def end(self) -> None:
        self._responder.end()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        client = self._responder.upgrade(reason, fields)
        self.exchange.websocket = True
        self._head_sent(101, reason, fields)
        self._tunnel = TunnelRecorder(
            self.exchange,
            self._ring,
            self._record.head.target,
            fields,
            self._began,
            content=self._options.content,
        )
        return RecordedConnection(client, self._tunnel)

    def close(self) -> None:
        self._responder.close()

    def abort(self) -> None:
        self._responder.abort()

    def fail(self, error: Exception, response: Response) -> None:
        self._responder.fail(error, response)

    # What the proxying knows

    def finish(self) -> None:
        """The record is complete."""
        exchange, record = self.exchange, self._record
        self._fill()
        exchange.changes_down = captured_changes(record.changes_down)
        exchange.outcome = record.outcome
        exchange.open = False
        exchange.times.last_octet = monotonic() - self._began
        exchange.octets_up, exchange.octets_down = record.bytes_up, record.bytes_down
        if self._content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self._content_up.captured(exchange.received)
        if self._content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self._content_down.captured(exchange.sent_down)
        if exchange.status >= FIRST_ERROR or record.refusal is not None:
            self._explain()
        self._ring.update(exchange)

    def _explain(self) -> None:
        """Say why it failed, in the doctor's words."""
        exchange, record = self.exchange, self._record
        sent = record.upstream_request
        explanation = explain(
            Evidence(
                self._site,
                record.head,
                exchange.status,
                refusal=record.refusal,
                sent=head_of(sent, record.head.arrival) if sent else None,
                answered=record.upstream_response,
                content=bytes(self._reason),
                outcome=record.outcome,
            )
        )
        if explanation is not None:
            exchange.symptom = explanation.symptom.id
            exchange.explanation = explanation.sentence

    def _head_sent(self, status: int, reason: bytes, fields: Sequence[Field]) -> None:
        exchange = self.exchange
        exchange.status = status
        exchange.sent_down = CapturedHead(_status_line(status, reason), captured_fields(fields))
        exchange.times.sent_down = monotonic() - self._began
        self._fill()
        self._ring.grow(exchange, 0)

    def _fill(self) -> None:
        """Copy what is known of Jupyter's side by now; a retry may have changed it."""
        exchange, record = self.exchange, self._record
        if record.upstream_request and record.sent_up_at != self._filled_at:
            self._filled_at = record.sent_up_at
            fields, exchange.changes_up = self._sections.sent_up(self._section, record)
            exchange.sent_up = CapturedHead(f"{self._method} {self._target} HTTP/1.1", fields)
            exchange.times.sent_up = record.sent_up_at - self._began
        head = record.upstream_response
        if head is not None and exchange.answered is None:
            exchange.answered = CapturedHead(
                _status_line(head.status, head.reason), captured_fields(head.fields)
            )
            exchange.times.first_octet = record.answered_at - self._began
        if (refusal := record.refusal) is not None:
            exchange.rule, exchange.reason = refusal.rule, reason_of(refusal)
            exchange.would_refuse = bool(record.upstream_request)


def reason_of(refusal: Refuse) -> str:
    """Why a request was refused: the field at fault and its value, what is said, what to do."""
    parts = [refusal.sentence]
    if refusal.field:
        name, value = refusal.field, refusal.value
        shown = (
            "there is none" if value is None else repr(captured_value(name.encode("ascii"), value))
        )
        parts.insert(0, f"{name}: {shown}.")
    if refusal.hint:
        parts.append(f"({refusal.hint})")
    return " ".join(part for part in parts if part)


@lru_cache(256)
def _status_line(status: int, reason: bytes) -> str:
    return f"HTTP/1.1 {status} {printable(reason)}".rstrip()

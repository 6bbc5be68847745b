"""Captures exchanges of which nothing but heads, times and sizes is wanted: most of them.

They end well and soon, and their records have all that is to be captured. As soon as more is wanted
of one, it gets an ``ExchangeCapture``.

Tested by tests/inspector/test_plain_captures.py.
"""

from __future__ import annotations

from proxy.inspector.capture_context import CaptureContext
from proxy.inspector.recorded_exchange import RecordedResponder
from proxy.messages import Responder
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.site import Site


class PlainCaptures:
    """Captures each exchange when it ends (``observe.record.Recording``).

    One for many: an object for each would cost as much as the rest of what is done until the end.

    Args:
        context: Gets the exchanges.
        site: What the rules decide by.
    """

    watching = False

    def __init__(self, context: CaptureContext, site: Site) -> None:
        self._context = context
        self.site = site

    def in_detail(self, record: Record) -> RecordedResponder:
        """Capture more of one exchange from now on."""
        record.recording = capture = RecordedResponder(self._context, record, self.site)
        return capture

    def watch(self, record: Record, responder: Responder) -> Responder:
        return self.in_detail(record).watch(record, responder)

    def refused(self, record: Record, refusal: Refuse) -> None:
        self.in_detail(record).refused(record, refusal)

    def dialling(self, record: Record) -> None:
        self.in_detail(record).dialling(record)

    def dialled(self, record: Record) -> None:
        """Whoever dialled is captured in detail."""

    def show(self, record: Record) -> None:
        self.in_detail(record).show(record)

    def finish(self, record: Record) -> None:
        record.recording = None
        context = self._context
        try:
            del context.unseen[record.number]
            context.ring.keep(
                (
                    context.heads.repeated(record),
                    record.number,
                    context.clock_began,
                    record.started_at,
                    record.head.arrival,
                    self.site,
                    record.route,
                    record.admitted_at,
                    None,
                    record.sent_up_at,
                    record.request_id,
                    record.answered_at,
                    # Jupyter's head was passed on in the moment when it came.
                    record.answered_at,
                    record.outcome,
                    record.bytes_up,
                    record.bytes_down,
                    record.seconds,
                )
            )
        except Exception as error:
            context.guard.caught(error)

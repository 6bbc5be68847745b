"""Captures exchanges between a front and the proxying; both see only what they know.

The front gives the proxying a body and a responder (``proxy.messages``). While the inspector is
on, each exchange is captured when it ends; one that takes long is shown while it runs. An exchange
is *plain* as long as only heads, times and sizes are wanted of it, and captured *in detail* from
the moment when more is; to *watch* one is to stand between with a ``RecordedResponder``, and it is
*unseen* until it is in the ring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic, time

from proxy.inspector.capture_context import CaptureContext
from proxy.inspector.content import MAX_CAPTURED_BYTES
from proxy.inspector.counted_tunnel import ByteCounts, CountedTunnel
from proxy.inspector.guard import Guard
from proxy.inspector.plain_captures import PlainCaptures
from proxy.inspector.recorded_exchange import RecordedBody
from proxy.inspector.ring import Ring
from proxy.messages import RequestBody, Responder
from proxy.observe.record import Record
from proxy.rules.site import Site

SHOW_OPEN_SECONDS = 0.2
"""An exchange that takes longer is shown before it ends."""
COUNT_SECONDS = 1.0
"""How often the octets of WebSockets are read that were open before."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What is captured beyond heads, times and sizes.

    Attributes:
        content: The beginning of bodies and WebSocket messages too, code and output included.
        max_content_bytes: How much of each.
    """

    content: bool = False
    max_content_bytes: int = MAX_CAPTURED_BYTES


class Recorder:
    """Makes a recording of every exchange, and puts what it captured into the ring.

    Attributes:
        ring: The latest exchanges.
        options: For the exchanges that begin from now on.
        guard: What the recordings do is done in it.
    """

    def __init__(self, ring: Ring, options: CaptureOptions | None = None) -> None:
        self.ring = ring
        self.options = options if options is not None else CaptureOptions()
        self.guard = Guard()
        self._context = CaptureContext(ring, self.guard)
        self._plain: PlainCaptures | None = None
        """For the site of the latest exchange; with several routes each has its own."""
        self._show_timer: asyncio.TimerHandle | None = None
        self._counted: list[CountedTunnel] = []
        self._count_timer: asyncio.TimerHandle | None = None

    def begin(
        self, record: Record, body: RequestBody, responder: Responder, site: Site
    ) -> tuple[RequestBody, Responder]:
        """Record an exchange whose head has come; ``site`` is what the rules decide by.

        Returns:
            What the proxying gets instead of them; themselves if there was a fault.
        """
        try:
            plain = self._plain
            if plain is None or plain.site is not site:
                self._plain = plain = PlainCaptures(self._context, site)
            if self._show_timer is None:
                self._begin_showing()
            record.number = number = self.ring.reserve()
            self._context.unseen[number] = record
            record.recording = plain
            if self.options.content:
                capture = plain.in_detail(record)
                content = capture.capture_content(self.options.max_content_bytes)
                body = RecordedBody(body, content, self.guard)
                responder = capture.watch(record, responder)
        except Exception as error:
            self.guard.caught(error)
        return body, responder

    def show_open_tunnels(self, tunnels: Iterable[tuple[ByteCounts, Record]], site: Site) -> None:
        """Show the WebSockets that were open before, with what is still known of them."""
        with self.guard:
            for tunnel, record in tunnels:
                if record.recording is None:
                    record.recording = CountedTunnel(self.ring, self.guard, tunnel, record, site)
                if isinstance(record.recording, CountedTunnel):
                    self._counted.append(record.recording)
        if self._counted and not self.guard.faulty:
            self._count_open()

    @property
    def counting(self) -> bool:
        """Whether octets of WebSockets that were open before are read from time to time."""
        return self._count_timer is not None

    def stop(self) -> None:
        """Show no more of what is open; each exchange that was begun is still completed."""
        for timer in (self._show_timer, self._count_timer):
            if timer is not None:
                timer.cancel()
        self._count_timer = None

    def _begin_showing(self) -> None:
        loop = asyncio.get_running_loop()
        self._context.clock_began = time() - monotonic()
        self._show_timer = loop.call_later(SHOW_OPEN_SECONDS, self._show_open)

    def _show_open(self) -> None:
        self._show_timer = None
        with self.guard:
            for record in tuple(self._context.unseen.values()):
                assert record.recording is not None, "it is open"
                record.recording.show(record)

    def _count_open(self) -> None:
        if self._count_timer is not None:
            self._count_timer.cancel()
            self._count_timer = None
        self._counted = [one for one in self._counted if one.exchange.open]
        with self.guard:
            for one in self._counted:
                one.count()
        if not self._counted or self.guard.faulty:
            return
        loop = asyncio.get_running_loop()
        self._count_timer = loop.call_later(COUNT_SECONDS, self._count_open)

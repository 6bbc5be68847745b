"""The whole path of one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from proxy.gate.gate import OPEN, Gate, Passage
from proxy.inspector.redaction import printable, redact, redact_target
from proxy.observe.record import Observer, Record
from proxy.rules.client import believed
from proxy.rules.decide import decide
from proxy.rules.message import may_continue
from proxy.rules.model import Forward, Local, Redirect, Refuse, RequestHead, Site, Tunnel
from proxy.upstream.pool import Pool
from proxy.upstream.streams import Content, Downstream
from proxy.upstream.tunnel import Tunnel as OpenTunnel

from . import answers
from .carrier import Carrier
from .limits import DEFAULT_LIMITS
from .local import OwnPaths

log = logging.getLogger("labgate")


class Exchanges:
    """Takes every request of every listener from its head to the end of its answer.

    Attributes:
        site: The policy's configuration; replaced whole, exchanges under way keep theirs.
        tunnels: The WebSockets that are open.
        gate: Asks who wants in; None asks nobody.
    """

    def __init__(
        self,
        site: Site,
        pool: Pool,
        own: OwnPaths,
        observers: Sequence[Observer] = (),
        *,
        trace: bool = False,
        most: int = DEFAULT_LIMITS.requests,
    ) -> None:
        self.site = site
        self.tunnels: set[OpenTunnel] = set()
        self.gate: Gate | None = None
        self._trace = trace
        self._most = most
        self._under_way = 0
        self._idle: asyncio.Event | None = None
        self._pool = pool
        self._own = own
        self._observers = tuple(observers)

    async def __call__(self, head: RequestHead, content: Content, downstream: Downstream) -> bool:
        """Answer one request; returns whether the connection can carry another."""
        if self.site.trusted_proxies:
            head = believed(head, self.site.trusted_proxies)
        record = Record(head)
        started = monotonic()
        self._under_way += 1
        try:
            return await self._answer(head, content, downstream, record)
        except asyncio.CancelledError:
            record.outcome = record.outcome or "the client went away"
            raise
        finally:
            self._under_way -= 1
            if self._idle is not None and self._under_way <= len(self.tunnels):
                self._idle.set()
            if self._observers:
                record.seconds = monotonic() - started
                self._tell(record)

    def _tell(self, record: Record) -> None:
        for observe in self._observers:
            try:
                observe(record)
            except OSError as error:
                # A full disk under the log is no reason to spoil an answer.
                log.error("cannot record a request: %s", error.strerror or error)

    async def finished(self) -> None:
        """Wait until nothing but tunnels is under way."""
        self._idle = asyncio.Event()
        if self._under_way > len(self.tunnels):
            await self._idle.wait()

    async def _answer(
        self, head: RequestHead, content: Content, downstream: Downstream, record: Record
    ) -> bool:
        site = self.site
        persistent = may_continue(head)
        bodiless = head.method == b"HEAD"
        if self._under_way - len(self.tunnels) > self._most:
            record.status, record.outcome = 503, "too many requests under way"
            downstream.write(answers.unavailable(head, 503, persistent=persistent))
            return persistent
        decision = decide(head, site)
        if isinstance(decision, Forward | Tunnel):
            passage: Passage | Refuse = OPEN
            if self.gate is not None:
                passage = self.gate.at_once(decision.head) or await self.gate.ask(decision.head)
            if isinstance(passage, Passage):
                carrier = Carrier(
                    decision.head,
                    site,
                    content,
                    downstream,
                    record,
                    trace=self._trace,
                    extra=passage.fields,
                )
                upgrade = isinstance(decision, Tunnel)
                try:
                    return await carrier.carry(
                        self._pool, self.tunnels, upgrade=upgrade, persistent=persistent
                    )
                finally:
                    if passage.login is not None and self.gate is not None:
                        self.gate.answered(passage.login, record.status)
            decision = passage
        match decision:
            case Refuse(status, rule, sentence):
                self._log_refusal(head, decision)
                persistent = persistent and not decision.close
                record.status, record.outcome = status, f"refused ({rule})"
                answer = answers.plain(
                    status,
                    sentence,
                    persistent=persistent,
                    bodiless=bodiless,
                    fields=decision.fields,
                )
            case Redirect(status, location):
                record.status, record.outcome = status, "redirected"
                answer = answers.redirect(
                    status, location, persistent=persistent, bodiless=bodiless
                )
            case Local():
                record.outcome = "answered here"
                answer = await self._own.answer(decision, persistent=persistent, bodiless=bodiless)
                record.status = int(answer[9:12])
        downstream.write(answer)
        return persistent

    def _log_refusal(self, head: RequestHead, refusal: Refuse) -> None:
        """Which header, which value, which rule: the line people look for."""
        shown = "absent"
        if refusal.value is not None:
            shown = repr(printable(redact(refusal.field.encode("ascii"), refusal.value)))
        log.warning(
            "refused %d by rule %s: %s %s; %s %s from %s",
            refusal.status,
            refusal.rule,
            refusal.field or "request",
            shown,
            printable(head.method),
            printable(redact_target(head.target)),
            head.arrival.peer,
        )

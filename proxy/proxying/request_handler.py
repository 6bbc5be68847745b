"""The whole path of one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from proxy.access.gate import ALLOW, Allow, LoginAttempt
from proxy.messages import Content, Downstream
from proxy.observe.record import Record
from proxy.proxying import responses as answers
from proxy.proxying.forwarder import Again, Forwarder, Outcome, Switched
from proxy.proxying.tunnel import Tunnel as OpenTunnel
from proxy.rules.decide import decide
from proxy.rules.message import may_be_unsent, may_continue
from proxy.rules.model import (
    Forward,
    Internal,
    Redirect,
    Refuse,
    RequestHead,
    Respond,
    Tunnel,
)
from proxy.rules.redaction import printable, redact, redact_target
from proxy.runtime.tasks import spawn

if TYPE_CHECKING:
    from proxy.net.limits import Slot
    from proxy.proxying.dispatcher import Dispatcher

log = logging.getLogger("labgate")


class RequestHandler:
    """One request, from its head to the end of its answer (``protocol.UnderWay``)."""

    __slots__ = (
        "_all",
        "_attempt",
        "_carrier",
        "_content",
        "_downstream",
        "_head",
        "_may_continue",
        "_over",
        "_persistent",
        "_pool",
        "_record",
        "_site",
        "_slot",
        "_started",
        "_task",
    )

    def __init__(
        self, exchanges: Dispatcher, head: RequestHead, content: Content, downstream: Downstream
    ) -> None:
        self._all = exchanges
        self._site = exchanges.site
        self._pool = exchanges.pool
        self._head = head
        self._content = content
        self._downstream = downstream
        self._may_continue = may_continue(head)
        self._persistent = self._may_continue and not (downstream.expecting and may_be_unsent(head))
        self._record = Record(head)
        self._started = monotonic()
        self._attempt: LoginAttempt | None = None
        self._carrier: Forwarder | None = None
        self._task: asyncio.Task[None] | None = None
        self._slot: Slot | None = None
        self._over = False

    def begin(self) -> None:
        """Answer at once, or see to it that somebody will."""
        decision = decide(self._head, self._site)
        match decision:
            case Forward() | Tunnel():
                # What is answered here keeps nobody waiting, and is no part of a crowd.
                self._slot = self._all.limit.acquire(self._head.arrival.peer)
                if self._slot is None:
                    self._turn_away()
                    return
                gate = self._all.gate
                allowed = ALLOW if gate is None else gate.check_now(decision.head)
                if allowed is None:
                    self._work(self._ask(decision))
                elif isinstance(allowed, Refuse):
                    self._refuse(allowed)
                else:
                    self._pass(decision, allowed)
            case Refuse():
                self._refuse(decision)
            case Redirect(status, location):
                self._record.status, self._record.outcome = status, "redirected"
                answer = answers.redirect(
                    status, location, persistent=self._persistent, bodiless=self._bodiless
                )
                self._say(answer, persistent=self._persistent)
            case Respond(status, sentence):
                self._record.status, self._record.outcome = status, "answered here"
                answer = answers.plain(
                    status, sentence, persistent=self._persistent, bodiless=self._bodiless
                )
                self._say(answer, persistent=self._persistent)
            case Internal(head):
                self._record.outcome = "answered here"
                self._pool = self._all.application
                self._forward(self._forwarder_to_application(head))

    def cancel(self) -> None:
        """The client has gone."""
        self._record.outcome = self._record.outcome or "the client went away"
        if self._task is not None:
            self._task.cancel()
        elif self._carrier is not None and not self._over:
            self._carrier.abandon()
            self._finish()

    def give_up(self) -> None:
        """It could not even begin."""
        self._finish()

    # Ways to an answer

    async def _ask(self, decision: Forward | Tunnel) -> None:
        """Wait for the gate."""
        gate = self._all.gate
        assert gate is not None, "somebody has to be asked"
        allowed = await gate.check(decision.head)
        if isinstance(allowed, Refuse):
            self._refuse(allowed)
            return
        self._pass(decision, allowed)

    def _pass(self, decision: Forward | Tunnel, allowed: Allow) -> None:
        self._forward(self._carrier_of(decision, allowed))

    def _forward(self, carrier: Forwarder) -> None:
        self._carrier = carrier
        if not carrier.at_once(self._pool, self._carried):
            self._work(carrier.dial(self._pool, self._carried))

    def _carrier_of(self, decision: Forward | Tunnel, allowed: Allow) -> Forwarder:
        heard = None
        if allowed.attempt is not None and self._all.gate is not None:
            self._attempt = allowed.attempt
            heard = partial(self._all.gate.on_response_head, allowed.attempt, self._site)
        return Forwarder(
            allowed.head or decision.head,
            self._site,
            self._content,
            self._downstream,
            self._record,
            upgrade=isinstance(decision, Tunnel),
            persistent=self._may_continue,
            trace=self._all.trace,
            extra=allowed.fields,
            heard=heard,
        )

    def _forwarder_to_application(self, head: RequestHead) -> Forwarder:
        """What the rules do to its fields is no news: ``--show-headers`` is about Jupyter."""
        return Forwarder(
            head,
            self._all.application_site,
            self._content,
            self._downstream,
            self._record,
            upgrade=False,
            persistent=self._may_continue,
            trace=False,
        )

    def _carried(self, outcome: Outcome) -> None:
        if isinstance(outcome, Switched):
            try:
                self._open_tunnel(outcome)
            except Exception as error:
                self._fail(error)
        elif outcome is Again.AFRESH:
            assert self._carrier is not None, "it calls back"
            self._work(self._carrier.dial(self._pool, self._carried))
        else:
            self._end(persistent=outcome)

    def _open_tunnel(self, switched: Switched) -> None:
        """Join both sides, and keep hold of nothing that a silent tab does not need."""
        self._carrier = self._task = None
        self._release()
        record = self._record
        record.outcome = "tunnelled"
        if not self._all.trace:
            self._head = record.head = replace(self._head, fields=(), section=None)
        tunnel = OpenTunnel(switched.upstream, self._downstream, self._tunnel_closed)
        self._all.opened(tunnel)
        tunnel.open(switched.rest)

    def _tunnel_closed(self, tunnel: OpenTunnel) -> None:
        self._all.tunnels.discard(tunnel)
        self._record.bytes_up += tunnel.bytes_up
        self._record.bytes_down += tunnel.bytes_down
        self._finish()

    def _turn_away(self) -> None:
        """Too many are under way, in all or of this client."""
        peer = self._head.arrival.peer
        self._record.status, self._record.outcome = 503, "too many requests under way"
        self._all.turned_away(peer)
        answer = answers.crowded(self._head, persistent=self._persistent)
        self._say(answer, persistent=self._persistent)

    def _refuse(self, refusal: Refuse) -> None:
        _log_refusal(self._head, refusal)
        persistent = self._persistent and not refusal.close
        self._record.status, self._record.outcome = refusal.status, f"refused ({refusal.rule})"
        answer = answers.refused(self._head, refusal, persistent=persistent)
        self._say(answer, persistent=persistent)

    @property
    def _bodiless(self) -> bool:
        return self._head.method == b"HEAD"

    # Its end

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = spawn(self._worked(work), "exchange")
        self._task.add_done_callback(partial(self._left, work))

    def _left(self, work: Coroutine[Any, Any, None], task: asyncio.Task[None]) -> None:
        if task.cancelled():
            # Before its first step it runs none of its endings.
            work.close()
            self._finish()

    async def _worked(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self._record.outcome = self._record.outcome or "the client went away"
            self._finish()
            self._downstream.finish()
            raise
        except Exception as error:
            self._fail(error)
        if self._task is asyncio.current_task():
            self._task = None

    def _say(self, answer: bytes, *, persistent: bool) -> None:
        self._downstream.write(answer)
        self._end(persistent=persistent)

    def _end(self, *, persistent: bool) -> None:
        try:
            self._finish()
        except Exception as error:
            self._downstream.failed(error, answers.failed(self._head))
        else:
            self._downstream.answered(persistent=persistent)

    def _fail(self, error: Exception) -> None:
        try:
            self._finish()
        finally:
            self._downstream.failed(error, answers.failed(self._head))

    def _finish(self) -> None:
        """Count and record it, once."""
        if self._over:
            return
        self._over = True
        self._carrier = self._task = None
        self._release()
        if self._attempt is not None and self._all.gate is not None:
            self._all.gate.on_response_end(self._attempt, self._record.status)
        self._record.seconds = monotonic() - self._started
        self._all.over(self._record)

    def _release(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()


def _log_refusal(head: RequestHead, refusal: Refuse) -> None:
    """Which header, which value, which rule: the line people look for."""
    log.warning(
        "refused %d by rule %s: %s; %s %s from %s%s",
        refusal.status,
        refusal.rule,
        _fault(refusal),
        printable(head.method),
        printable(redact_target(head.target)),
        head.arrival.peer,
        f" ({refusal.hint})" if refusal.hint else "",
    )


def _fault(refusal: Refuse) -> str:
    """The header and value at fault, or what else the request was refused for."""
    if not refusal.field:
        return refusal.sentence.removesuffix(".")
    if refusal.value is None:
        return f"no {refusal.field} field"
    return f"{refusal.field} {printable(redact(refusal.field.encode('ascii'), refusal.value))!r}"

"""The whole path of one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from proxy.access.access_control import AccessControl
from proxy.access.allow import ALLOW, Allow, LoginAttempt
from proxy.errors import STATUS_OF, ClientFault, UpstreamDown, UpstreamError
from proxy.http1.request_body import NO_CONTENT
from proxy.messages import RequestBody, Responder, send_response
from proxy.observe.record import Record
from proxy.proxying import responses
from proxy.proxying.forwarder import Forwarder, Result, Switched, Trace
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from proxy.proxying.tunnel import OpenTunnel
from proxy.rules.decision import (
    Forward,
    Internal,
    Redirect,
    Refuse,
    Respond,
    Tunnel,
)
from proxy.rules.head import NO_FIELDS, RequestHead, ResponseHead
from proxy.rules.redaction import printable, redact, redact_target
from proxy.runtime.tasks import spawn
from proxy.short_response import Response, plain

if TYPE_CHECKING:
    from proxy.net.limits import Slot
    from proxy.proxying.dispatcher import Dispatcher

log = logging.getLogger("labgate")


def handle(
    dispatcher: Dispatcher, head: RequestHead, body: RequestBody, responder: Responder
) -> RequestHandler:
    """Respond to a request now, or start what will."""
    handler = RequestHandler(dispatcher, head, body, responder)
    try:
        handler.begin()
    except Exception as error:
        handler.fail(error)
    return handler


class RequestHandler:
    """One request, from its head to the end of its response (``messages.RequestInProgress``).

    It decides what follows on each result, and alone finishes the record.
    """

    __slots__ = (
        "_all",
        "_attempt",
        "_body",
        "_finished",
        "_forwarder",
        "_head",
        "_record",
        "_responder",
        "_route",
        "_slot",
        "_started",
        "_task",
    )

    def __init__(
        self, dispatcher: Dispatcher, head: RequestHead, body: RequestBody, responder: Responder
    ) -> None:
        self._all = dispatcher
        self._head = head
        self._body = body
        self._responder = responder
        self._record = Record(head)
        self._started = monotonic()
        self._route: Route | None = None
        self._attempt: LoginAttempt | None = None
        self._forwarder: Forwarder | None = None
        self._task: asyncio.Task[None] | None = None
        self._slot: Slot | None = None
        self._finished = False

    def begin(self) -> None:
        """Answer at once, or see to it that somebody will."""
        if self._all.observers.start:
            self._all.notify(self._all.observers.start, self._record)
        decision = self._all.cache.decide(self._head, self._all.router.site)
        match decision:
            case Forward() | Tunnel() | Internal():
                self._send_upstream(decision)
            case Refuse():
                self._refuse(decision)
            case Redirect(status, location):
                self._respond(responses.redirect(status, location), "redirected")
            case Respond(status, sentence):
                self._respond(plain(status, sentence), "answered here")

    def cancel(self) -> None:
        """The client has gone."""
        self._record.outcome = self._record.outcome or "the client went away"
        if self._task is not None:
            self._task.cancel()
        elif self._forwarder is not None and not self._finished:
            self._count(self._forwarder.abandon())
            self._finish()

    # Ways to a response

    def _send_upstream(self, decision: Forward | Tunnel | Internal) -> None:
        """Send the request to its upstream, if there is room and access control allows it."""
        self._route = route = self._all.router.route(decision)
        peer = self._head.arrival.peer
        self._slot = route.limit.acquire(peer)
        if self._slot is None:
            self._all.log_rejection(peer, route)
            self._respond(responses.crowded(self._head), "too many requests at once")
            return
        access_control = route.access_control
        if access_control is None:
            self._forward(route, decision, ALLOW)
        elif (allowed := access_control.check_now(decision.head)) is not None:
            self._forward(route, decision, allowed)
        else:
            self._work(self._ask(access_control, route, decision))

    async def _ask(
        self, access_control: AccessControl, route: Route, decision: Forward | Tunnel | Internal
    ) -> None:
        """Send the request to its upstream as soon as access control allows it."""
        self._forward(route, decision, await access_control.check(decision.head))

    def _forward(
        self, route: Route, decision: Forward | Tunnel | Internal, allowed: Allow | Refuse
    ) -> None:
        """Send the request, unless access control has refused it."""
        if isinstance(allowed, Refuse):
            self._refuse(allowed)
            return
        self._attempt = allowed.attempt
        heard = allowed.attempt is not None or self._all.observers.head
        record = self._record
        traced = self._all.trace and not route.internal
        self._forwarder = forwarder = Forwarder(
            allowed.head or decision.head,
            route.site,
            NO_CONTENT if route.internal else self._body,
            self._responder,
            self._all.cache,
            report=self._on_result,
            upgrade=isinstance(decision, Tunnel),
            extra=allowed.fields,
            on_response=self._on_response_head if heard else None,
            trace=Trace(record.changes_up, record.changes_down) if traced else None,
        )
        connection = None if forwarder.upgrade else route.pool.take()
        if connection is None:
            self._work(self._dial(forwarder, route.pool))
        else:
            forwarder.send(connection)

    def _on_response_head(self, head: ResponseHead) -> None:
        route, attempt = self._route, self._attempt
        if attempt is not None and route is not None and route.access_control is not None:
            route.access_control.on_response_head(attempt, route.site, head)
        self._head_sent(head.status)

    def _head_sent(self, status: int) -> None:
        self._record.status = status
        if self._all.observers.head:
            self._all.notify(self._all.observers.head, self._record)

    async def _dial(self, forwarder: Forwarder, pool: Pool) -> None:
        """Send the request over a new connection."""
        try:
            forwarder.send(await pool.dial())
        except UpstreamDown as error:
            forwarder.fail(error)

    def _on_result(self, result: Result) -> None:
        self._count(result)
        route = self._route
        assert route is not None, "a result comes from an upstream"
        if result.status and route.outage is not None and route.outage.open:
            route.outage.end()
        if result.switched is not None:
            try:
                self._open_tunnel(result.switched)
            except Exception as error:
                self.fail(error)
        elif result.retry:
            assert self._forwarder is not None, "it calls back"
            self._work(self._dial(self._forwarder, route.pool))
        elif result.error is None:
            self._record.outcome = "answered here" if route.internal else "forwarded"
            self._end()
        else:
            self._on_error(result.error, route)

    def _count(self, result: Result) -> None:
        record = self._record
        record.bytes_up, record.bytes_down = result.bytes_up, result.bytes_down
        record.status = result.status or record.status

    def _on_error(self, error: UpstreamError | ClientFault | ConnectionError, route: Route) -> None:
        """There will be no complete response; half a one must not be taken for whole."""
        record, begun = self._record, bool(self._record.status)
        response = None
        if isinstance(error, UpstreamError):
            record.outcome = str(error)
            target = printable(redact_target(self._head.target))
            record.warning = True
            if not self._all.access_log and route.outage is not None:
                peer = self._head.arrival.peer
                request = f"{printable(self._head.method)} {target} from {peer}"
                route.outage.failed(request, error)
            if route.internal:
                response = responses.failed(self._head)
            else:
                response = responses.unavailable(self._head, STATUS_OF[type(error)])
        elif isinstance(error, ClientFault):
            record.outcome = str(error)
            response = responses.error(self._head, error.status, "content", str(error), close=True)
        else:
            record.outcome = "the client went away"
        if begun:
            self._responder.abort()
        elif response is None:
            self._responder.close()
        else:
            self._head_sent(response.status)
            send_response(self._responder, response)
        self._end()

    def _open_tunnel(self, switched: Switched) -> None:
        """Join both sides, and keep hold of nothing that a silent tab does not need."""
        self._forwarder = self._task = None
        self._release()
        record = self._record
        record.outcome = "tunnelled"
        if not self._all.trace:
            self._head = record.head = replace(self._head, fields=(), section=NO_FIELDS)
        client = self._responder.upgrade(switched.reason, switched.fields)
        tunnel = OpenTunnel(switched.upstream, client, self._tunnel_closed)
        self._all.opened(tunnel)
        tunnel.open(switched.rest)

    def _tunnel_closed(self, tunnel: OpenTunnel) -> None:
        self._all.tunnels.discard(tunnel)
        self._record.bytes_up += tunnel.bytes_up
        self._record.bytes_down += tunnel.bytes_down
        self._finish()

    def _refuse(self, refusal: Refuse) -> None:
        if self._all.access_log:
            hint = f" ({refusal.hint})" if refusal.hint else ""
            self._record.warning, self._record.detail = True, f"{_fault(refusal)}{hint}"
        elif (held_back := self._all.refusals_held_back(refusal)) is not None:
            _log_refusal(self._head, refusal, held_back)
        self._respond(responses.refused(self._head, refusal), f"refused ({refusal.rule})")

    # The end

    def _respond(self, response: Response, outcome: str) -> None:
        self._record.outcome = outcome
        self._head_sent(response.status)
        send_response(self._responder, response)
        self._end()

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
            self._responder.close()
            raise
        except Exception as error:
            self.fail(error)
        if self._task is asyncio.current_task():
            self._task = None

    def _end(self) -> None:
        try:
            self._finish()
        except Exception as error:
            self._responder.fail(error, responses.failed(self._head))

    def fail(self, error: Exception) -> None:
        """End it because of a fault of ours."""
        try:
            self._finish()
        finally:
            self._responder.fail(error, responses.failed(self._head))

    def _finish(self) -> None:
        """Count and record it, once."""
        if self._finished:
            return
        self._finished = True
        self._forwarder = self._task = None
        self._release()
        route, attempt = self._route, self._attempt
        if attempt is not None and route is not None and route.access_control is not None:
            route.access_control.on_response_end(attempt, self._record.status)
        self._record.seconds = monotonic() - self._started
        services = self._all
        services.under_way -= 1
        if services.draining:
            services.check_drained()
        if services.observers.end:
            services.notify(services.observers.end, self._record)

    def _release(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()


def _log_refusal(head: RequestHead, refusal: Refuse, held_back: int) -> None:
    """Which header, which value, which rule: the line people look for."""
    log.warning(
        "refused %d by rule %s: %s; %s %s from %s%s%s",
        refusal.status,
        refusal.rule,
        _fault(refusal),
        printable(head.method),
        printable(redact_target(head.target)),
        head.arrival.peer,
        f" ({refusal.hint})" if refusal.hint else "",
        f"; {held_back} more since the last such line" if held_back else "",
    )


def _fault(refusal: Refuse) -> str:
    """The header and value at fault, or what else the request was refused for."""
    if not refusal.field:
        return refusal.sentence.removesuffix(".")
    if refusal.value is None:
        return f"no {refusal.field} field"
    return f"{refusal.field} {printable(redact(refusal.field.encode('ascii'), refusal.value))!r}"

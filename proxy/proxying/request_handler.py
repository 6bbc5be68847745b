"""The whole path of one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from proxy.access.allow import ALLOW, Allow, LoginAttempt
from proxy.errors import UpstreamError
from proxy.http1.request_body import EMPTY_BODY
from proxy.messages import RequestBody, Responder, send_response
from proxy.net.limits import Slot
from proxy.net.reset import reset
from proxy.observe.record import Record, notify_observers
from proxy.proxying import responses
from proxy.proxying.forwarder import Forwarder
from proxy.proxying.recorded_request import watch_unusual, watched
from proxy.proxying.result import CLIENT_LEFT, EXPECTED_ERRORS, Result, Switched
from proxy.proxying.router import Route
from proxy.proxying.services import Services
from proxy.proxying.stored_response import StoredResponse, find_stored
from proxy.rules.decision import Admitted, Forward, Internal, Redirect, Refuse, Respond, Tunnel
from proxy.rules.embedding import embedded
from proxy.rules.head import NO_FIELDS, RequestHead, ResponseHead
from proxy.runtime.tasks import spawn
from proxy.short_response import Response, plain


@dataclass(slots=True, eq=False)
class RequestHandler:
    """One request, from its head to the end of its response (``messages.RequestInProgress``).

    It decides what follows on each result, and alone finishes the record.

    Attributes:
        services: What the handlers of all requests use.
        head: The request.
        body: Its content.
        responder: The client's side.
        record: What the observers receive.
    """

    services: Services
    head: RequestHead
    body: RequestBody
    responder: Responder
    record: Record
    _route: Route = field(init=False)
    _slot: Slot | None = field(default=None, init=False)
    _attempt: LoginAttempt | None = field(default=None, init=False)
    _sender: Forwarder | StoredResponse | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _finished: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Respond now or start a task."""
        services = self.services
        if services.observers.start:
            notify_observers(services.observers.start, self.record)
        match services.decision_cache.decide(self.head, services.router.site):
            case Forward() | Tunnel() | Internal() as decision:
                self._admit(decision)
            case Refuse() as refusal:
                self._refuse(refusal)
            case Redirect(status, location):
                self._respond(responses.redirect_response(status, location), "redirected")
            case Respond(status, sentence):
                self._respond(plain(status, sentence), "answered here")

    def cancel(self) -> None:
        """The client has gone."""
        self.record.outcome = self.record.outcome or CLIENT_LEFT
        if self._task is not None:
            self._task.cancel()
        elif self._sender is not None:
            self._count(self._sender.abandon())
            self._finish()

    # Up

    def _admit(self, decision: Admitted) -> None:
        """Forward the request if its route has room and access control allows it."""
        self._route = route = self.services.router.route(decision)
        self._slot = route.limit.acquire(self.head.arrival.peer)
        if self._slot is None:
            self.services.log.log_rejection(self.head.arrival.peer, route)
            self._respond(responses.crowded(self.record), "too many requests at once")
        elif route.access_control is None:
            self._forward(decision, ALLOW)
        elif (allowed := route.access_control.check_now(decision.head)) is not None:
            self._forward(decision, allowed)
        else:
            self._start(self._check_access(route.access_control.check, decision))

    async def _check_access(
        self, check: Callable[[RequestHead], Awaitable[Allow | Refuse]], decision: Admitted
    ) -> None:
        """Forward the request as soon as access control allows it."""
        self._forward(decision, await check(decision.head))

    def _forward(self, decision: Admitted, allowed: Allow | Refuse) -> None:
        """Send the request to its upstream, unless access control has refused it."""
        if isinstance(allowed, Refuse):
            self._refuse(allowed)
            return
        services, route, record = self.services, self._route, self.record
        self._attempt = attempt = allowed.attempt
        if record.recording is not None:
            record.route, record.admitted_at = route.name or record.route, monotonic()
            if route.internal or not isinstance(decision, Forward) or decision.would_refuse:
                self.responder = watch_unusual(record, decision, self.responder)
        if route.cache is not None and self.head.target in route.cache.files.targets:
            self.responder = watched(record, self.responder)
            self._sender = find_stored(route, self.head, allowed, self.responder, self)
            if self._sender is not None:
                self._sender.send()
                return
        head = allowed.head or decision.head
        self._sender = forwarder = Forwarder(
            head if route.adapt is None else route.adapt(head),
            EMPTY_BODY if route.internal else self.body,
            self.responder,
            route,
            services,
            record.request_id,
            report=self.on_result,
            upgrade=isinstance(decision, Tunnel),
            extra=allowed.fields and embedded(allowed.fields, route.site),
            on_response=self._on_response_head if attempt or services.observers.head else None,
            trace=record if (services.trace or record.recording) and not route.internal else None,
        )
        connection = None if forwarder.upgrade else route.pool.take()
        if connection is None:
            self._start(forwarder.dial(route.pool, record))
        else:
            forwarder.send(connection)

    # Down

    def _on_response_head(self, head: ResponseHead) -> None:
        access_control = self._route.access_control
        if self._attempt is not None and access_control is not None:
            access_control.on_response_head(self._attempt, self._route.site, head)
        if isinstance(self._sender, Forwarder):
            self.record.sent_up_at = self._sender.sent_up_at
            self.record.request_ended_at = self._sender.request_ended_at
        self.on_status(head.status)

    def on_status(self, status: int) -> None:
        self.record.status = status
        if self.services.observers.head:
            notify_observers(self.services.observers.head, self.record)

    def on_result(self, result: Result) -> None:
        try:
            self._on_result(result)
        except Exception as error:
            if result.switched is not None:
                # Nothing else owns the upstream's side.
                reset(result.switched.upstream)
            self._on_error(error)

    def _on_result(self, result: Result) -> None:
        self._count(result)
        route = self._route
        if result.status and not result.outcome and route.outage is not None and route.outage.open:
            route.outage.end()
        if route.activity is not None and result.error is None:
            route.activity.on_response(result.status)
        if result.switched is not None:
            self._open_tunnel(result.switched)
        elif result.retry:
            assert isinstance(self._sender, Forwarder), "it has reported"
            self._start(self._sender.dial(route.pool, self.record))
        elif result.error is None:
            self.record.outcome = result.outcome or self.record.outcome or route.outcome
            self._end()
        else:
            self._on_error(result.error)

    def _count(self, result: Result) -> None:
        self.record.bytes_up, self.record.bytes_down = result.bytes_up, result.bytes_down
        self.record.status = result.status or self.record.status

    def _on_error(self, error: Exception) -> None:
        """Respond with an error, or break off the response if it has begun."""
        if not isinstance(error, EXPECTED_ERRORS):
            self.fail(error)
            return
        record, route = self.record, self._route
        begun = bool(record.status)
        record.outcome = CLIENT_LEFT if isinstance(error, ConnectionError) else str(error)
        if isinstance(error, UpstreamError):
            record.warning = True
            self.services.log.log_failure(record, error, route)
            if route.error_route is not None and not begun:
                self._route = route.error_route
                self._forward(Forward(self.head), ALLOW)
                return
        response = None if begun else responses.after_error(record, error, internal=route.internal)
        if response is not None:
            self._respond(response, record.outcome)
            return
        (self.responder.abort if begun else self.responder.close)()
        self._end()

    def _open_tunnel(self, switched: Switched) -> None:
        """Join both sides, and drop what an idle WebSocket does not need."""
        self._sender = self._task = None
        self._release_slot()
        record = self.record
        record.outcome, record.route = "tunnelled", self._route.name
        client = self.responder.upgrade(switched.reason, switched.fields)
        if not self.services.trace:
            record.user_agent = b", ".join(record.head.values(b"user-agent"))
            self.head = record.head = replace(self.head, fields=(), section=NO_FIELDS)
        tunnels = self.services.open_requests
        tunnels.open_tunnel(switched, client, record, self._finish, self._route.activity)

    # Responses of labgate's own

    def _refuse(self, refusal: Refuse) -> None:
        if self.record.recording is not None:
            self.record.recording.refused(self.record, refusal)
        self.services.log.log_refusal(self.record, refusal)
        self._respond(responses.refusal_response(self.record, refusal), f"refused ({refusal.rule})")

    def _respond(self, response: Response, outcome: str) -> None:
        self.record.outcome = outcome
        self.on_status(response.status)
        fields = embedded(response.fields, self.services.router.site)
        send_response(watched(self.record, self.responder), replace(response, fields=fields))
        self._end()

    # In the background

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = spawn(self._run(work), "request")
        self._task.add_done_callback(lambda task: self._on_task_done(work, task))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.fail(error)
        if self._task is asyncio.current_task():
            self._task = None

    def _on_task_done(self, work: Coroutine[Any, Any, None], task: asyncio.Task[None]) -> None:
        if task.cancelled():
            # A task that is cancelled before its first step runs none of its code.
            work.close()
            self.record.outcome = self.record.outcome or CLIENT_LEFT
            self._finish()
            self.responder.close()

    def fail(self, error: Exception) -> None:
        """End the request because of a fault of labgate's; no response of Jupyter's may follow."""
        record = self.record
        try:
            if self._sender is not None:
                self._count(self._sender.abandon())
        finally:
            record.outcome, record.warning = "a fault of labgate's", True
            record.status = self.responder.fail(error, responses.failed(record)) or record.status
            self._finish()

    def _end(self) -> None:
        try:
            self._finish()
        except Exception as error:
            self.fail(error)

    def _finish(self) -> None:
        """Complete the record and pass it on, once."""
        if self._finished:
            return
        self._finished = True
        self._sender = self._task = None
        self._release_slot()
        record, services = self.record, self.services
        services.open_requests.count -= 1
        if services.open_requests.draining:
            services.open_requests.check_drained()
        if self._attempt is not None and self._route.access_control is not None:
            self._route.access_control.on_response_end(self._attempt, record.status)
        record.seconds = monotonic() - record.started_at
        if services.observers.end:
            notify_observers(services.observers.end, record)
        if record.recording is not None:
            record.recording.finish(record)

    def _release_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()

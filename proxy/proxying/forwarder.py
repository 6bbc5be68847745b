"""One allowed request up to Jupyter, and its answer down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple, TypeVar

from proxy.errors import STATUS_OF, ClientFault, UpstreamDown, UpstreamError
from proxy.http1.client_connection import UpstreamConnection
from proxy.messages import Content, Downstream
from proxy.observe.record import Record
from proxy.proxying import responses as answers
from proxy.proxying.pool import Pool
from proxy.proxying.relay import Relay
from proxy.rules.message import may_be_unsent
from proxy.rules.model import Field, RequestHead, ResponseHead, Site
from proxy.rules.redaction import printable, redact_target
from proxy.rules.request import upstream_head

log = logging.getLogger("labgate")

Failure = TypeVar("Failure", bound=Exception)

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: only these may be sent again on their own."""


class Switched(NamedTuple):
    """Jupyter speaks another protocol from here on.

    Attributes:
        upstream: Its side of the connection.
        rest: What it has said in it already.
    """

    upstream: asyncio.Transport
    rest: bytes


class Again(Enum):
    """What became of a request that can be sent once more."""

    AFRESH = auto()
    """The idle connection was stale: ``Forwarder.dial`` another."""


Outcome = bool | Switched | Again
"""Whether the client's connection can carry another exchange, or what else is to be done."""


class Forwarder:
    """Carries one allowed request up and its answer down.

    Once it has a connection nobody waits: whatever comes, from the client or from Jupyter, is
    handed on by the call that brings it. A task for each request would double what one costs.
    """

    __slots__ = (
        "_content",
        "_contentless",
        "_downstream",
        "_extra",
        "_head",
        "_heard",
        "_over",
        "_persistent",
        "_public",
        "_record",
        "_relay",
        "_site",
        "_trace",
        "_upgrade",
        "_used",
    )

    def __init__(
        self,
        head: RequestHead,
        site: Site,
        content: Content,
        downstream: Downstream,
        record: Record,
        *,
        upgrade: bool,
        persistent: bool,
        trace: bool,
        extra: tuple[Field, ...] = (),
        heard: Callable[[ResponseHead], None] | None = None,
    ) -> None:
        self._extra = extra
        self._heard = heard
        self._head = head
        self._site = site
        self._public = site.public_origin(head)
        self._content = content
        self._downstream = downstream
        self._record = record
        self._trace = trace
        self._upgrade = upgrade
        self._persistent = persistent
        self._contentless = False
        self._relay: Relay | None = None
        self._used: UpstreamConnection | None = None
        self._over: Callable[[Outcome], None] | None = None

    def at_once(self, pool: Pool, over: Callable[[Outcome], None]) -> bool:
        """Send the request over an idle connection; whether there is one.

        Args:
            pool: Has the connections.
            over: Called once, with what became of it.
        """
        connection = None if self._upgrade else pool.take()
        if connection is None:
            return False
        self._over = over
        self._send(connection)
        return True

    async def dial(self, pool: Pool, over: Callable[[Outcome], None]) -> None:
        """Send the request over a new connection; apart from that as ``at_once``."""
        self._over = over
        try:
            self._send(await pool.dial())
        except UpstreamDown as error:
            self._settled(error)

    def abandon(self) -> None:
        """The client has gone: nobody wants the answer to what was sent."""
        self._over = None
        self._content.when_more(None)
        if self._used is not None:
            self._used.give_up()
        self._account()

    # Up

    def _send(self, connection: UpstreamConnection) -> None:
        """Send the request, and what has come of its content."""
        head, record = self._head, self._record
        up = down = None
        if self._trace:
            up, down = record.changes_up, record.changes_down
            up.clear()
        self._used = connection
        self._relay = relay = Relay(
            head,
            self._site,
            self._public,
            self._downstream,
            connection,
            settled=self._settled,
            persistent=self._persistent,
            extra=self._extra,
            heard=self._heard,
            changes=down,
        )
        start = upstream_head(head, self._site, websocket=self._upgrade, changes=up)
        connection.begin(relay, head.method, upgrade=self._upgrade)
        arrived = self._content.arrived()
        self._contentless = arrived == b""
        if arrived is None:
            connection.write(start)
            self._content.when_more(self._upload)
            self._upload()
            return
        if arrived:
            record.bytes_up = len(arrived)
            chunked = self._chunked
            start += _framed(arrived, chunked) + _end(chunked)
        elif self._chunked:
            start += _end(chunked=True)
        connection.write(start)
        connection.request_sent()

    def _upload(self) -> None:
        """Send on what has come of the content, as fast as Jupyter takes it."""
        connection = self._used
        if connection is None:
            return
        chunked = self._chunked
        try:
            while not connection.congested:
                piece = self._content.take()
                if piece is None:
                    return
                if not piece:
                    self._content.when_more(None)
                    connection.write(_end(chunked))
                    connection.request_sent()
                    return
                self._record.bytes_up += len(piece)
                connection.write(_framed(piece, chunked))
            connection.when_writable(self._upload)
        except (ClientFault, ConnectionError) as fault:
            # A request that breaks off must never look complete (RFC 9112 section 8).
            connection.give_up()
            self._broken_off(_bare(fault))

    # Endings

    def _settled(self, error: UpstreamError | None) -> None:
        """The answer is complete, or there is none (any more)."""
        over, self._over = self._over, None
        if over is None:
            return
        self._content.when_more(None)
        if error is None:
            over(self._done())
        elif isinstance(error, UpstreamDown) and self._repeatable():
            self._account()
            over(Again.AFRESH)
        else:
            persistent = self._failed(_bare(error))
            self._account()
            over(persistent)

    def _broken_off(self, fault: ClientFault | ConnectionError) -> None:
        """The content will never be complete."""
        over, self._over = self._over, None
        if over is None:
            return
        self._content.when_more(None)
        if isinstance(fault, ClientFault):
            self._faulted(fault)
        else:
            # A client that left needs no answer, and must not take half a one for whole.
            self._record.outcome = "the client went away"
            if self._relay is not None and self._relay.started:
                self._downstream.abort()
        self._account()
        over(False)

    def _done(self) -> bool | Switched:
        relay, used = self._relay, self._used
        assert relay is not None, "nothing is done that was not sent"
        assert used is not None, "over a connection"
        self._record.outcome = self._record.outcome or "forwarded"
        self._account()
        if relay.upgraded is not None:
            return Switched(used.detach(), relay.upgraded)
        return relay.persistent

    def _account(self) -> None:
        """What the client was answered; the circle of relay and carrier ends here."""
        relay, self._relay = self._relay, None
        self._used = None
        if relay is not None and relay.started:
            self._record.status = relay.status
            self._record.bytes_down += relay.content_bytes

    def _faulted(self, fault: ClientFault) -> None:
        self._record.status, self._record.outcome = fault.status, str(fault)
        if self._relay is not None and self._relay.started:
            self._downstream.abort()
        else:
            answer = answers.error(
                self._head, fault.status, "content", str(fault), persistent=False
            )
            self._downstream.write(answer)

    def _failed(self, error: UpstreamError) -> bool:
        status = STATUS_OF[type(error)]
        self._record.outcome = str(error)
        target = printable(redact_target(self._head.target))
        log.warning("%s %s: %s", printable(self._head.method), target, error)
        if self._relay is not None and self._relay.started:
            self._downstream.abort()
            return False
        self._record.status = status
        persistent = self._persistent and not (
            self._downstream.expecting and may_be_unsent(self._head)
        )
        self._downstream.write(answers.unavailable(self._head, status, persistent=persistent))
        return persistent

    def _repeatable(self) -> bool:
        """RFC 9112 section 9.3.1: a connection used before, idempotent, no content sent."""
        used = self._used
        if used is None or not used.reused:
            return False
        return self._contentless and self._head.method in IDEMPOTENT

    @property
    def _chunked(self) -> bool:
        return bool(self._head.values(b"transfer-encoding"))


def _bare(error: Failure) -> Failure:
    """The error without its traceback, which would keep it and the whole exchange alive.

    Its frames know the content that holds the error: a circle that only the garbage
    collector ends, thousands at a time and with everybody waiting.
    """
    return error.with_traceback(None)


def _framed(piece: bytes, chunked: bool) -> bytes:
    if not chunked:
        return piece
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def _end(chunked: bool) -> bytes:
    return b"0\r\n\r\n" if chunked else b""

"""One allowed request up to Jupyter, and its answer down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from proxy.errors import STATUS_OF, ClientFault, UpstreamDown, UpstreamError
from proxy.inspector.redaction import printable, redact_target
from proxy.observe.record import Record
from proxy.rules.message import may_be_unsent
from proxy.rules.model import Field, RequestHead, Site
from proxy.rules.request import upstream_head
from proxy.tasks import spawn
from proxy.upstream.http1 import UpstreamConnection
from proxy.upstream.pool import Pool
from proxy.upstream.relay import Relay
from proxy.upstream.streams import Content, Downstream

from . import answers

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


class Carrier:
    """Carries one allowed request up and its answer down.

    Most requests have come as a whole and find an idle connection: they need nobody to wait
    for them (``at_once``), which halves what they cost. Everything else is ``carry``.
    """

    __slots__ = (
        "_content",
        "_contentless",
        "_downstream",
        "_extra",
        "_head",
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
    ) -> None:
        self._extra = extra
        self._head = head
        self._site = site
        self._public = site.authorities[head.values(b"host")[0].lower()]
        self._content = content
        self._downstream = downstream
        self._record = record
        self._trace = trace
        self._upgrade = upgrade
        self._persistent = persistent
        self._contentless = False
        self._relay: Relay | None = None
        self._used: UpstreamConnection | None = None
        self._over: Callable[[bool | None], None] | None = None

    def at_once(self, pool: Pool, over: Callable[[bool | None], None]) -> bool:
        """Send the request over an idle connection, if it is whole and there is one.

        Args:
            pool: Has the connections.
            over: Called when the answer has ended, with whether the client's connection
                can carry another exchange; with None when the request may and has to be
                sent again, by ``carry``.
        """
        if self._upgrade or self._content.arrived() is None:
            return False
        connection = pool.take()
        if connection is None:
            return False
        self._over, self._used = over, connection
        self._send(connection, self._settled)
        return True

    def abandon(self) -> None:
        """The client has gone: nobody wants the answer to what was sent ``at_once``."""
        self._over = None
        if self._used is not None:
            self._used.give_up()
        self._account()

    def _settled(self, error: UpstreamError | None) -> None:
        over, self._over = self._over, None
        if over is None:
            return
        if error is None:
            over(self._done())
        elif isinstance(error, UpstreamDown) and self._repeatable():
            over(None)
        else:
            persistent = self._failed(_bare(error))
            self._account()
            over(persistent)

    async def carry(self, pool: Pool, *, afresh: bool = False) -> bool | Switched:
        """Returns whether the client's connection can carry another exchange.

        Or, where Jupyter has switched protocols, what to make a tunnel of.

        Args:
            pool: Has the connections.
            afresh: Over a new connection, whatever the pool has.
        """
        try:
            connection = None if self._upgrade or afresh else pool.take()
            if connection is None:
                connection = await pool.dial()
            try:
                relay = await self._exchange(connection)
            except UpstreamDown:
                if not (connection.reused and self._repeatable()):
                    raise
                connection = await pool.dial()
                relay = await self._exchange(connection)
            if relay.upgraded is not None:
                return Switched(connection.detach(), relay.upgraded)
            return self._done()
        except UpstreamError as error:
            return self._failed(_bare(error))
        except ClientFault as fault:
            return self._faulted(_bare(fault))
        finally:
            # Also when the client left in the middle: this is what it was answered.
            self._account()

    def _send(
        self, connection: UpstreamConnection, settled: Callable[[UpstreamError | None], None]
    ) -> bool:
        """Send the request, and its content if all of it is here; whether it was."""
        head, record = self._head, self._record
        up = down = None
        if self._trace:
            up, down = record.changes_up, record.changes_down
            up.clear()
        self._relay = relay = Relay(
            head,
            self._site,
            self._public,
            self._downstream,
            connection,
            settled=settled,
            persistent=self._persistent,
            extra=self._extra,
            changes=down,
        )
        start = upstream_head(head, self._site, websocket=self._upgrade, changes=up)
        connection.begin(relay, head.method, upgrade=self._upgrade)
        arrived = self._content.arrived()
        self._contentless = arrived == b""
        if arrived is None:
            connection.write(start)
            return False
        if arrived:
            record.bytes_up = len(arrived)
            chunked = self._chunked
            start += _framed(arrived, chunked) + _end(chunked)
        elif self._chunked:
            start += _end(chunked=True)
        connection.write(start)
        connection.request_sent()
        return True

    async def _exchange(self, connection: UpstreamConnection) -> Relay:
        """Send the request, with its content alongside, until the answer is complete."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settled(error: UpstreamError | None) -> None:
            if waiting.done():
                return
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)

        uploading = None
        if not self._send(connection, settled):
            uploading = spawn(self._upload(connection, waiting), "upload")
        relay = self._relay
        assert relay is not None, "_send made one"
        try:
            await waiting
        except BaseException:
            # A client that left just as Jupyter switched protocols: nobody takes the tunnel.
            if not relay.over or relay.upgraded is not None:
                connection.give_up()
            raise
        finally:
            if uploading is not None and not uploading.done():
                uploading.cancel()
        return relay

    async def _upload(self, connection: UpstreamConnection, waiting: asyncio.Future[None]) -> None:
        chunked = self._chunked
        try:
            while piece := await self._content.read():
                self._record.bytes_up += len(piece)
                connection.write(_framed(piece, chunked))
                await connection.drained()
        except Exception as error:
            # A request that breaks off must never look complete (RFC 9112 section 8).
            connection.give_up()
            _bare(error)
            if isinstance(error, ConnectionError):
                # A client that left needs no answer.
                waiting.cancel()
            elif not waiting.done():
                waiting.set_exception(error)
            return
        connection.write(_end(chunked))
        connection.request_sent()

    # Endings

    def _done(self) -> bool:
        relay = self._relay
        assert relay is not None, "nothing is done that was not sent"
        persistent = relay.persistent
        self._record.outcome = self._record.outcome or "forwarded"
        self._account()
        return persistent

    def _account(self) -> None:
        """What the client was answered; the circle of relay and carrier ends here."""
        relay, self._relay = self._relay, None
        self._used = None
        if relay is not None and relay.started:
            self._record.status = relay.status
            self._record.bytes_down += relay.content_bytes

    def _faulted(self, fault: ClientFault) -> bool:
        self._record.status, self._record.outcome = fault.status, str(fault)
        if self._relay is not None and self._relay.started:
            self._downstream.abort()
        else:
            self._downstream.write(answers.plain(fault.status, str(fault), persistent=False))
        return False

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
        """RFC 9112 section 9.3.1: idempotent, and none of its content was sent."""
        return self._contentless and self._head.method in IDEMPOTENT

    @property
    def _chunked(self) -> bool:
        return bool(self._head.values(b"transfer-encoding"))


def _bare(error: Failure) -> Failure:
    """The error without its traceback, which would keep it and the whole exchange alive.

    Its frames know the future or the reader that holds the error: a circle that only the
    garbage collector ends, thousands at a time and with everybody waiting.
    """
    return error.with_traceback(None)


def _framed(piece: bytes, chunked: bool) -> bytes:
    if not chunked:
        return piece
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def _end(chunked: bool) -> bytes:
    return b"0\r\n\r\n" if chunked else b""

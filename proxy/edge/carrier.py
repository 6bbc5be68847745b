"""One allowed request up to Jupyter, and its answer down."""

from __future__ import annotations

import logging
from typing import TypeVar

from proxy.errors import STATUS_OF, ClientFault, UpstreamDown, UpstreamError
from proxy.inspector.redaction import printable, redact_target
from proxy.observe.record import Record
from proxy.rules.model import Field, RequestHead, Site
from proxy.rules.request import serialised, upstream_fields
from proxy.tasks import spawn
from proxy.upstream.http1 import UpstreamConnection
from proxy.upstream.pool import Pool
from proxy.upstream.relay import Relay
from proxy.upstream.streams import Content, Downstream
from proxy.upstream.tunnel import Tunnel

from . import answers

log = logging.getLogger("labgate")

Failure = TypeVar("Failure", bound=Exception)

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: only these may be sent again on their own."""


class Carrier:
    """Carries one allowed request up and its answer down."""

    def __init__(
        self,
        head: RequestHead,
        site: Site,
        content: Content,
        downstream: Downstream,
        record: Record,
        *,
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
        self._upgrade = False
        self._persistent = False
        self._contentless = False

    async def carry(
        self, pool: Pool, tunnels: set[Tunnel], *, upgrade: bool, persistent: bool
    ) -> bool:
        """Returns whether the client's connection can carry another exchange."""
        self._upgrade = upgrade
        self._persistent = persistent
        relay: Relay | None = None
        try:
            connection = None if upgrade else pool.take()
            if connection is None:
                connection = await pool.dial()
            relay = self._relay(connection)
            try:
                await self._exchange(connection, relay)
            except UpstreamDown:
                if not (connection.reused and self._repeatable()):
                    raise
                connection = await pool.dial()
                relay = self._relay(connection)
                await self._exchange(connection, relay)
            if relay.upgraded is not None:
                await self._tunnel(connection, relay, tunnels)
        except UpstreamError as error:
            return self._failed(_bare(error), relay)
        except ClientFault as fault:
            return await self._faulted(_bare(fault), relay)
        finally:
            # Also when the client left in the middle: this is what it was answered.
            if relay is not None and relay.started:
                self._record.status = relay.status
                self._record.bytes_down += relay.content_bytes
        self._record.outcome = self._record.outcome or "forwarded"
        return relay.persistent and relay.upgraded is None

    def _relay(self, connection: UpstreamConnection) -> Relay:
        return Relay(
            self._head,
            self._site,
            self._public,
            self._downstream,
            connection,
            persistent=self._persistent,
            extra=self._extra,
            changes=self._record.changes_down if self._trace else None,
        )

    async def _exchange(self, connection: UpstreamConnection, relay: Relay) -> None:
        """Send the request, with its content alongside, until the answer is complete."""
        head = self._head
        self._record.changes_up.clear()
        changes = self._record.changes_up if self._trace else None
        fields = upstream_fields(head, self._site, websocket=self._upgrade, changes=changes)
        start = serialised(head, fields)
        chunked = bool(head.values(b"transfer-encoding"))
        connection.begin(relay, head.method, upgrade=self._upgrade)
        arrived = self._content.arrived()
        self._contentless = arrived == b""
        uploading = None
        if arrived is not None:
            self._record.bytes_up = len(arrived)
            connection.write(start + _framed(arrived, chunked) + _end(chunked))
            connection.request_sent()
        else:
            connection.write(start)
            uploading = spawn(self._upload(connection, relay, chunked), "upload")
        try:
            await relay.done
        finally:
            if uploading is not None and not uploading.done():
                uploading.cancel()
            if not relay.done.done() or relay.done.cancelled():
                connection.give_up()

    async def _upload(self, connection: UpstreamConnection, relay: Relay, chunked: bool) -> None:
        try:
            while piece := await self._content.read():
                self._record.bytes_up += len(piece)
                connection.write(_framed(piece, chunked))
                await connection.drained()
        except (ConnectionError, ClientFault) as error:
            # A request that breaks off must never look complete (RFC 9112 section 8).
            connection.give_up()
            relay.client_failed(_bare(error))
            return
        connection.write(_end(chunked))
        connection.request_sent()

    async def _tunnel(
        self, connection: UpstreamConnection, relay: Relay, tunnels: set[Tunnel]
    ) -> None:
        tunnel = Tunnel(connection.detach(), self._downstream)
        tunnels.add(tunnel)
        try:
            tunnel.open(relay.upgraded or b"")
            await tunnel.closed
        finally:
            tunnels.discard(tunnel)
            if not tunnel.closed.done() or tunnel.closed.cancelled():
                tunnel.abort()
            self._record.outcome = "tunnelled"
            self._record.bytes_up += tunnel.bytes_up
            self._record.bytes_down += tunnel.bytes_down

    async def _faulted(self, fault: ClientFault, relay: Relay | None) -> bool:
        self._record.status, self._record.outcome = fault.status, str(fault)
        if relay is not None and relay.started:
            self._downstream.abort()
        else:
            self._downstream.write(answers.plain(fault.status, str(fault), persistent=False))
            await self._downstream.linger()
        return False

    def _repeatable(self) -> bool:
        """RFC 9112 section 9.3.1: idempotent, and none of its content was sent."""
        return self._contentless and self._head.method in IDEMPOTENT

    def _failed(self, error: UpstreamError, relay: Relay | None) -> bool:
        status = STATUS_OF[type(error)]
        self._record.outcome = str(error)
        target = printable(redact_target(self._head.target))
        log.warning("%s %s: %s", printable(self._head.method), target, error)
        if relay is not None and relay.started:
            self._downstream.abort()
            return False
        self._record.status = status
        persistent = self._persistent
        self._downstream.write(answers.unavailable(self._head, status, persistent=persistent))
        return persistent


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

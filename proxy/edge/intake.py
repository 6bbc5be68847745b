"""What arrives on one connection, as requests for aiohttp: one at a time, each judged first."""

from __future__ import annotations

import asyncio
from time import monotonic

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.errors import ClientFault
from proxy.rules.model import Refuse
from proxy.rules.syntax import malformed as not_well_formed

from .content import ArrivedContent, Chunks
from .framing import Framer, Reads
from .limits import Limits

MOST_KEPT = 64 * 1024
"""Octets that may wait behind a request for its answer."""


class Intake(RequestHandler):
    """aiohttp's server connection with a ``Framer`` in front of its parser."""

    __slots__ = (
        "_chunks",
        "_content",
        "_framer",
        "_half_closed",
        "_head_since",
        "_limits",
    )

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None switches it off
            auto_decompress=False,
            keepalive_timeout=limits.keep_alive_seconds,
            tcp_keepalive=False,
            # The framer holds heads to the limits; these are for trailers.
            max_line_size=limits.request_line,
            max_field_size=limits.head,
            max_headers=limits.fields,
        )
        self._framer = Framer(limits)
        self._limits = limits
        self._head_since: float | None = None
        self._content: ArrivedContent | None = None
        self._chunks: Chunks | None = None
        self._half_closed = False

    def data_received(self, data: bytes) -> None:
        framer = self._framer
        if framer.reads is Reads.ANOTHER_PROTOCOL:
            super().data_received(data)
            return
        if not data:
            # aiohttp asks for what its parser has put aside.
            self._receive_content(data)
        while data:
            reads = framer.reads
            piece, data = framer.cut(data)
            if piece is None:
                break
            if isinstance(piece, Refuse):
                self._refuse(piece)
            elif reads is Reads.HEAD:
                self._receive_head(piece)
            else:
                self._receive_content(piece)
        if framer.kept:
            if framer.reads is Reads.HEAD:
                self._head_since = self._head_since or monotonic()
            elif len(framer.kept) > MOST_KEPT:
                self._pause_transport_reading()

    @property
    def target(self) -> bytes:
        """The target of the request under way."""
        return self._framer.target

    def begin(self, content: ArrivedContent) -> None:
        """A request head is complete: what follows has limits of its own."""
        self._head_since = None
        self._content = content
        if self._chunks is not None:
            content.judge(self._chunks)
        if self._half_closed:
            content.break_off(ConnectionResetError("the client ended in the middle"))

    def end(self, *, persistent: bool) -> bool:
        """An exchange is over; whether another can follow."""
        self._content = None
        waiting = bool(self._framer.kept)
        if persistent:
            if waiting:
                # Only after aiohttp has noticed that the protocol was not switched.
                self._loop.call_soon(self._read_on)
            else:
                self._framer.answered()
        return persistent and (waiting or not self._half_closed)

    def overdue(self, now: float) -> bool:
        """Whether a request head has been on its way for too long (slow-header attacks)."""
        since = self._head_since
        return since is not None and now - since > self._limits.head_seconds

    def _read_on(self) -> None:
        """The answer was an ordinary one: what came behind the request are requests."""
        kept = self._framer.take()
        self._framer.answered()
        self.data_received(kept)
        if len(self._framer.kept) <= MOST_KEPT and not self._reading_paused:
            self._resume_transport_reading()
        if self._half_closed and self._framer.reads is Reads.HEAD:
            self.force_close()

    def _receive_head(self, head: bytes) -> None:
        """One head is one message to aiohttp, with content where the framer expects it.

        Parsers that disagree there are how requests get smuggled (RFC 9112 section 11.2).
        """
        super().data_received(head)
        if not self._messages and (self._force_close or self._close):
            return
        message, content = self._messages[-1] if self._messages else (None, EMPTY_PAYLOAD)
        if isinstance(message, _ErrInfo):
            self._framer.stop()
            return
        reads = self._framer.reads
        expected = reads is not Reads.NEXT or (message is not None and message.method == "CONNECT")
        if message is None or (content is not EMPTY_PAYLOAD) is not expected:
            self._messages.clear()
            self._framer.stop()
            self._refuse(not_well_formed("This is not a well-formed HTTP/1.1 request.", "framing"))
        elif reads is Reads.CHUNKS:
            self._chunks = Chunks(content, self._limits)

    def _receive_content(self, piece: bytes) -> None:
        """What is wrong with chunks is noticed here.

        aiohttp keeps the error for the next request and lets this one's reader wait.
        """
        chunks = self._chunks
        if chunks is not None and chunks.reader.is_eof():
            return
        super().data_received(piece)
        if chunks is None:
            return
        malformed = bool(self._messages) and isinstance(self._messages[-1][0], _ErrInfo)
        chunks.came(len(piece), malformed=malformed, held=self._reading_paused)
        if chunks.fault is not None and self._content is not None:
            self._content.judge(chunks)

    def _refuse(self, refusal: Refuse) -> None:
        """Have it answered in its turn, as aiohttp does with what its own parser refuses."""
        self._head_since = None
        fault = ClientFault(refusal.status, refusal.sentence)
        message = _ErrInfo(status=refusal.status, exc=fault, message=refusal.rule)
        self._messages.append((message, EMPTY_PAYLOAD))
        self._request_count += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

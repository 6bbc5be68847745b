"""A request's body in chunks (RFC 9112 section 7.1), which llhttp takes apart."""

from __future__ import annotations

import httptools

from proxy.errors import ClientFault
from proxy.http1.request_body import SizedBody, Source
from proxy.net.limits import Limits
from proxy.rules.framing import Framing

FRAMING_ALLOWANCE_BYTES = 16 * 1024
FRAMING_FACTOR = 8
"""A chunk of one byte is six bytes long; more than this is no framing but padding."""

_CHUNKED_HEAD_FIELDS = 1
_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class ChunkedBody(SizedBody):
    """A body of unknown length.

    Chunk extensions and trailers are dropped (sections 7.1.1 and 7.1.2), so only this object can
    limit them.
    """

    __slots__ = (
        "_bytes_since_content",
        "_content_bytes",
        "_parser",
        "_received_bytes",
        "_trailer_count",
    )

    def __init__(self, source: Source, limits: Limits, *, expects_continue: bool) -> None:
        super().__init__(source, limits, None, expects_continue=expects_continue)
        self._received_bytes = 0
        self._content_bytes = 0
        self._bytes_since_content = 0
        # The parser refers to this object: drop it when it is done, to break the reference cycle.
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._trailer_count = -_CHUNKED_HEAD_FIELDS
        self._parser.feed_data(_CHUNKED_HEAD)

    def feed(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            self._surplus = True
            return
        self._begins_by = 0.0
        content_before, piece_count = self._content_bytes, len(self._pieces)
        self._received_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Bytes behind the last chunk are no content.
            if not self.complete:
                self._set_fault(ClientFault(400, "The request's content is not well-formed."))
        # Many bytes without any content can only be trailers or one endless line.
        has_content = self._content_bytes > content_before
        self._bytes_since_content = 0 if has_content else self._bytes_since_content + len(data)
        if self._framing_is_excessive():
            self._set_fault(ClientFault(400, "There is too much around the request's content."))
        if len(self._pieces) - piece_count > 1:
            # Many tiny pieces would take many times the memory of their bytes.
            self._pieces[piece_count:] = [b"".join(self._pieces[piece_count:])]
        if self.complete or self._fault is not None:
            self._parser = None
        self._notify()

    def _framing_is_excessive(self) -> bool:
        framing_bytes = self._received_bytes - self._content_bytes
        return (
            framing_bytes > FRAMING_ALLOWANCE_BYTES + FRAMING_FACTOR * self._content_bytes
            or self._bytes_since_content > self._limits.head
            or self._trailer_count > self._limits.fields
        )

    def fail(self, error: Exception) -> None:
        super().fail(error)
        self._parser = None

    def discard(self) -> None:
        super().discard()
        self._parser = None

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        # Bytes after the last chunk: another request, which labgate does not read.
        self._surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._trailer_count += 1

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self._content_bytes += len(piece)
            self._append(piece)

    def on_message_complete(self) -> None:
        self.complete = True


def open_body(
    source: Source, limits: Limits, framing: Framing, expects_continue: bool
) -> SizedBody:
    """The body of a request that has one."""
    if framing.chunked:
        return ChunkedBody(source, limits, expects_continue=expects_continue)
    return SizedBody(source, limits, framing.length, expects_continue=expects_continue)

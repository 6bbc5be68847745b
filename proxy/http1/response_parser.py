"""Reads a response: llhttp's callbacks, and checks where llhttp is too lenient."""

from __future__ import annotations

from time import monotonic

import httptools

from proxy.messages import Receiver
from proxy.rules.head import Field, ResponseHead
from proxy.rules.response_faults import MAX_RESPONSE_FIELDS, response_fault

MAX_HEAD_BYTES = 256 * 1024
"""A larger response head is an attack or a fault; so are larger trailers, and anything larger
between two pieces of content."""

_ENDS_OF_HEADS = (b"\r\n\r\n", b"\n\r\n", b"\r\n", b"\n")


class ResponseParser:
    """Reads the responses of one connection, one after the other.

    Attributes:
        receiver: Receives the response; None if there is no request in progress.
        begun: Whether a first byte has arrived.
        head: The final head, or that of a 101.
        head_since: When the head that is arriving began.
        delimited: False if the content ends with the connection; says nothing of HEAD.
        complete: Whether the response has ended.
        reusable: Whether another response may follow this one.
        switched: The bytes behind a 101; None if there was none.
        fault: Why this is no valid response; empty for none.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.receiver: Receiver | None = None
        self._clear(b"")

    def begin(self, receiver: Receiver, method: bytes) -> None:
        """Read the response to a request with this method."""
        self.receiver = receiver
        self._clear(method)

    def _clear(self, method: bytes) -> None:
        self._method = method
        self._bytes_since_content = 0
        self._reason = b""
        self._fields: list[Field] = []
        self._keep_alive = False
        self.begun = False
        self.head: ResponseHead | None = None
        self.head_since: float | None = None
        self.delimited = True
        self.complete = self.reusable = False
        self.switched: bytes | None = None
        self.fault = ""

    def close(self) -> None:
        """Read nothing more; break the reference cycle with llhttp's parser."""
        del self._parser

    def feed(self, data: bytes) -> None:
        """Read at least one byte; the attributes show the result.

        Raises:
            Exception: What the receiver raised.
        """
        if not self.begun:
            self.begun = True
            if data[0] != ord("H"):
                # llhttp would skip empty lines, which belong to no response either.
                self.fault = "the response is not HTTP"
                return
        self._bytes_since_content += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.switched = data[upgrade.args[0] :]
            return
        except httptools.HttpParserCallbackError as error:
            # No fault of the response's: httptools wraps what the receiver raised.
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            # After a complete response these bytes are surplus, and no fault of that response.
            self._surplus = self.complete
            if not self.complete:
                self.fault = f"the response is not HTTP: {error}"
        if self.complete:
            if self._method == b"HEAD" and data[-4:] not in _ENDS_OF_HEADS:
                self._surplus = True
            self.reusable = self._keep_alive and not self._surplus
        elif self._bytes_since_content > MAX_HEAD_BYTES or len(self._fields) > MAX_RESPONSE_FIELDS:
            self.fault = self.fault or "there is too much around the response's content"

    def ends_with_connection(self) -> bool:
        """The connection has ended; return whether the response ends with it."""
        if self.head is None or self.delimited or self.complete:
            return False
        self.complete = True
        return True

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        self._surplus = self.complete
        self.head_since = monotonic()

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is None:
            # After the head these are trailers, which labgate drops. llhttp leaves spaces and tabs
            # at the end of a value, and lets no other white space through.
            self._fields.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        if self.complete or self.receiver is None:
            return
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        head = ResponseHead(status, self._reason, tuple(self._fields))
        self.fault = response_fault(head, version)
        if self._bytes_since_content > MAX_HEAD_BYTES and _size(head) > MAX_HEAD_BYTES:
            self.fault = self.fault or "the response's head is too large"
        if self.fault:
            self.complete = True
            return
        if status == 101:
            self.head = head
            return
        if status < 200:
            self._reason, self._fields = b"", []
            self.head_since = None
            self.receiver.on_interim(head)
            return
        self.head = head
        # No other coding is without a fault.
        self._chunked = b"transfer-encoding" in head.names
        sized = self._chunked or b"content-length" in head.names
        self.delimited = sized or status in (204, 304)
        self._keep_alive = self.delimited
        self.receiver.on_head(head)
        if self._method == b"HEAD":
            # llhttp would wait for content, and cannot be told that a response to HEAD has none.
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self._surplus = True
        elif self.receiver is not None:
            self._bytes_since_content = 0
            self.receiver.on_content(body)

    def on_message_complete(self) -> None:
        if self.head is None or self.head.status == 101:
            return
        if self.complete:
            # The last chunk of a response to HEAD, which has no content (RFC 9112 section 6.3).
            if self.head.status not in (204, 304) and self._chunked:
                self._surplus = True
            return
        self.complete = True
        self._keep_alive = self._keep_alive and self._parser.should_keep_alive()


def _size(head: ResponseHead) -> int:
    """Bytes of the reason and the field lines."""
    return len(head.reason) + sum(
        len(name) + len(value) + len(": \r\n") for name, value in head.fields
    )

"""One answer as it is read: llhttp's callbacks, and what llhttp is too lenient about."""

from __future__ import annotations

from time import monotonic

import httptools

from proxy.messages import Receiver
from proxy.rules.head import Field, ResponseHead
from proxy.rules.response_faults import MAX_RESPONSE_FIELDS, response_fault

MAX_HEAD_BYTES = 256 * 1024
"""A response head larger than this is not an answer but an attack or a fault; the same goes
for trailers, and for whatever else stands between two pieces of content."""

_ENDS_OF_HEADS = (b"\r\n\r\n", b"\n\r\n", b"\r\n", b"\n")


class ResponseParser:
    """Reads the answers of one connection, one after the other.

    Attributes:
        receiver: Whoever waits for the answer; None when nobody does (any more).
        begun: Whether a first octet has come.
        head: The final head, or that of a 101.
        head_since: When the head now on its way began.
        delimited: False when the content ends with the connection.
        complete: Whether the answer has ended.
        reusable: Whether another answer may follow this one.
        switched: What came right behind a 101; None unless there was one.
        fault: Why this is no answer; empty for none.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.receiver: Receiver | None = None
        self._clear(b"")

    def begin(self, receiver: Receiver, method: bytes) -> None:
        """What comes from now on answers a request with this method."""
        self.receiver = receiver
        self._clear(method)

    def _clear(self, method: bytes) -> None:
        self._method = method
        self._around_bytes = 0
        self._reason = b""
        self._fields: list[Field] = []
        self._surplus = False
        self._keep_alive = True
        self.begun = False
        self.head: ResponseHead | None = None
        self.head_since: float | None = None
        self.delimited = True
        self.complete = self.reusable = False
        self.switched: bytes | None = None
        self.fault = ""

    def close(self) -> None:
        """Nothing more is read; the parser, which knows this object, goes."""
        del self._parser

    def feed(self, data: bytes) -> None:
        """Read at least one octet; the attributes say what became of the answer."""
        if not self.begun:
            self.begun = True
            if data[0] != ord("H"):
                # llhttp would skip empty lines, which belong to no answer of ours either.
                self.fault = "the response is not HTTP"
                return
        self._around_bytes += len(data)
        if self.head is None and self.head_since is None:
            self.head_since = monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.switched = data[upgrade.args[0] :]
            return
        except httptools.HttpParserError as error:
            # Behind a whole answer it is not that answer's fault, but nobody's bytes.
            self._surplus = self.complete
            if not self.complete:
                self.fault = f"the response is not HTTP: {error}"
        if self.complete:
            if self._method == b"HEAD" and data[-4:] not in _ENDS_OF_HEADS:
                self._surplus = True
            self.reusable = self._keep_alive and not self._surplus
        elif self._around_bytes > MAX_HEAD_BYTES or len(self._fields) > MAX_RESPONSE_FIELDS:
            self.fault = self.fault or "there is too much around the response's content"

    def ends_with_connection(self) -> bool:
        """The connection has ended: whether that is the end of the answer, too."""
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
            # After the head these are trailers, which labgate drops.
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.complete or self.receiver is None:
            return
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        head = ResponseHead(status, self._reason, tuple(self._fields))
        self.fault = response_fault(head, version)
        if self._around_bytes > MAX_HEAD_BYTES and _size(head) > MAX_HEAD_BYTES:
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
        bodiless = self._method == b"HEAD" or status in (204, 304)
        self.delimited = (
            bodiless or b"content-length" in head.names or b"transfer-encoding" in head.names
        )
        self._keep_alive = self.delimited
        self.receiver.on_head(head)
        if self._method == b"HEAD":
            # llhttp cannot be told that no content follows: it would wait for it.
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self._surplus = True
        elif self.receiver is not None:
            self._around_bytes = 0
            self.receiver.on_content(body)

    def on_message_complete(self) -> None:
        if self.head is None or self.head.status == 101:
            return
        if self.complete:
            # The last chunk of an answer to HEAD, which has no content (RFC 9112 section 6.3).
            if self.head.status not in (204, 304) and b"transfer-encoding" in self.head.names:
                self._surplus = True
            return
        self.complete = True
        self._keep_alive = self._keep_alive and self._parser.should_keep_alive()


def _size(head: ResponseHead) -> int:
    """Octets of the reason and the field lines."""
    return len(head.reason) + sum(
        len(name) + len(value) + len(": \r\n") for name, value in head.fields
    )

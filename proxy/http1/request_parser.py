"""Where one request ends and the next begins, in the bytes of one connection.

It returns one whole head at a time, only heads that ``rules.syntax`` let through, and none before
the previous request has its response. Therefore a faulty request cannot take the place of the
good one before it, bytes behind an upgrade are never mistaken for requests, pipelined requests
wait as bytes and not as parsed heads, and no parser decides alone what is content and what is a
head.
"""

from __future__ import annotations

from proxy.http1.connection_states import ClientState
from proxy.net.limits import Limits
from proxy.rules.decision import Refuse
from proxy.rules.head import NO_FIELDS, FieldSection
from proxy.rules.syntax import (
    END,
    RequestLine,
    check_head,
    check_lines,
    field_lines,
    malformed,
    read_request_line,
    tls_handshake,
    too_long_target,
    too_many_fields,
)

CRLF = b"\r\n"
NO_REQUEST_LINE = RequestLine(b"", b"", (1, 1))

MAX_REMEMBERED_BYTES = 8 * 1024
"""Field lines remembered for the next request, which mostly repeats them. Browsers send fewer; an
idle connection must not hold a client's largest head in several forms."""


class RequestParser:
    """Cuts what arrives into heads and content; no I/O.

    Attributes:
        state: What the client's next bytes are.
        buffered: Bytes of an incomplete head; in the state ``DONE`` bytes that are not
            interpreted yet.
        request_line: Of the last head.
        section: The field lines of the last head.
    """

    __slots__ = (
        "_body_bytes_left",
        "_empty_line_skipped",
        "_limits",
        "_previous_lines",
        "_request_line_checked",
        "_response_sent",
        "_scanned_bytes",
        "buffered",
        "request_line",
        "section",
        "state",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.state = ClientState.HEAD
        self.buffered = b""
        self._body_bytes_left = self._scanned_bytes = 0
        self._response_sent = self._empty_line_skipped = self._request_line_checked = False
        self._forget_head()

    def _forget_head(self) -> None:
        self.request_line = NO_REQUEST_LINE
        self._previous_lines = b""
        self.section = NO_FIELDS

    def read(self, data: bytes) -> tuple[bytes | Refuse | None, bytes]:
        """Read a head, or a piece of content, depending on ``state``.

        Returns:
            The piece and the bytes after it. Without a complete piece, None and no bytes.
        """
        match self.state:
            case ClientState.HEAD:
                return self._read_head(data)
            case ClientState.BODY:
                piece, rest = data[: self._body_bytes_left], data[self._body_bytes_left :]
                self._body_bytes_left -= len(piece)
                if not self._body_bytes_left:
                    self.state = ClientState.HEAD if self._response_sent else ClientState.DONE
                return piece, rest
            case ClientState.CHUNKED_BODY:
                return data, b""
            case ClientState.DONE:
                self.buffered += data
        return None, b""

    def next_request(self) -> None:
        """The response was sent, and another request may follow.

        What was buffered in the state ``DONE`` must be taken before.
        """
        self._response_sent = True
        if len(self._previous_lines) > MAX_REMEMBERED_BYTES:
            self._forget_head()
        if self.state is ClientState.DONE:
            self.state = ClientState.HEAD

    def take_buffered(self) -> bytes:
        """Return what was buffered, once."""
        buffered, self.buffered = self.buffered, b""
        return buffered

    def switch_protocols(self) -> bytes:
        """The client speaks another protocol now; return what it has sent of it."""
        self.state = ClientState.SWITCHED
        self._forget_head()
        return self.take_buffered()

    def ignore(self) -> None:
        """Drop whatever arrives from now on."""
        self.state = ClientState.IGNORED
        self.buffered = b""
        self._forget_head()

    def _read_head(self, data: bytes) -> tuple[bytes | Refuse | None, bytes]:
        """Return a whole head and what is behind it; None as long as it is not whole."""
        if self.buffered:
            data, self.buffered = self.buffered + data, b""
        if not self._empty_line_skipped and data.startswith(CRLF):
            # RFC 9112 section 2.2: one empty line before the request line is ignored.
            self._empty_line_skipped, self._scanned_bytes = True, 0
            data = data[len(CRLF) :]
        end = data.find(END, max(0, self._scanned_bytes - len(END) + 1))
        if end < 0:
            return self._buffer_partial_head(data), b""
        end += len(END)
        head, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
        self._scanned_bytes = 0
        self._empty_line_skipped = self._request_line_checked = False
        refusal = self._check(head)
        if refusal is not None:
            return self._refused(refusal, head), b""
        self._response_sent = False
        length, chunked, _ = self.section.framing
        self._body_bytes_left = length
        if chunked:
            self.state = ClientState.CHUNKED_BODY
        else:
            self.state = ClientState.BODY if length else ClientState.DONE
        return head, rest

    def _check(self, head: bytes) -> Refuse | None:
        """Take a head apart; the field lines only if they differ from the previous request's."""
        limits = self._limits
        end = head.find(CRLF)
        line, lines = head[:end], head[end:]
        if lines != self._previous_lines or end > limits.request_line:
            refusal = check_head(head, limits.request_line, limits.head, limits.fields)
            if refusal is not None:
                return refusal
            self._previous_lines, self.section = lines, FieldSection(field_lines(lines))
            _, chunked, fault = self.section.framing
            if fault is not None and not chunked:
                # The end is unknown. With a faulty coding it is unknown as well, but nothing
                # behind it is read as a request while the rules refuse it with a page.
                return malformed(fault.sentence, fault.field.lower())
        request_line = read_request_line(line)
        if isinstance(request_line, Refuse):
            return request_line
        self.request_line = request_line
        return None

    def _buffer_partial_head(self, data: bytes) -> Refuse | None:
        """Buffer an incomplete head, or refuse it as soon as it cannot become valid.

        Only new bytes are scanned.
        """
        # A CR at the end may have been waiting for its LF.
        new = max(0, self._scanned_bytes - data.endswith(b"\r", 0, self._scanned_bytes))
        refusal = check_lines(data[new:])
        limits = self._limits
        line = data.find(CRLF, 0, limits.request_line + len(CRLF))
        if line < 0:
            if len(data) > limits.request_line + len(CRLF):
                refusal = refusal or too_long_target()
        else:
            if not self._request_line_checked:
                self._request_line_checked = True
                request_line = read_request_line(data[:line])
                if refusal is None and isinstance(request_line, Refuse):
                    refusal = request_line
            if len(data) - line > limits.head + len(END):
                refusal = refusal or too_many_fields()
        if refusal is not None:
            return self._refused(refusal, data)
        self.buffered, self._scanned_bytes = data, len(data)
        return None

    def _refused(self, refusal: Refuse, octets: bytes) -> Refuse:
        self.ignore()
        return tls_handshake(octets) or refusal

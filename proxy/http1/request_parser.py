"""Where one request ends and the next begins, on the octets of one connection.

Gives out one whole head at a time, only heads that ``rules.syntax`` let through, and none
before the request in front of it is answered. Like that a faulty request cannot take the
place of the good one before it, octets behind an upgrade are never mistaken for requests,
pipelined ones wait as octets and not as parsed heads, and no parser decides alone what is
content and what is a head.
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
    too_long_target,
    too_many_fields,
)

LINE = b"\r\n"
NO_LINE = RequestLine(b"", b"", (1, 1))


MAX_REMEMBERED_BYTES = 8 * 1024
"""Field lines kept for the next request, which mostly repeats them. Browsers send fewer; an idle
connection must not hold a client's largest head in several forms."""


class RequestParser:
    """Cuts what arrives into heads and content; no I/O.

    Attributes:
        state: What the client's next bytes are.
        kept: Octets of a head that is not complete, or those kept for ``DONE``.
        request_line: That of the head that was cut last.
        section: Its field lines.
    """

    __slots__ = (
        "_answered",
        "_judged_line",
        "_left",
        "_limits",
        "_same",
        "_seen",
        "_skipped",
        "kept",
        "request_line",
        "section",
        "state",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.state = ClientState.HEAD
        self.kept = b""
        self._left = 0
        self._answered = False
        self._seen = 0
        self._skipped = self._judged_line = False
        self._forget()

    def _forget(self) -> None:
        self.request_line = NO_LINE
        self._same = b""
        self.section = NO_FIELDS

    def cut(self, data: bytes) -> tuple[bytes | Refuse | None, bytes]:
        """The next piece, of what ``state`` was, and what comes behind it.

        No piece: there is none yet, and nothing behind it.
        """
        match self.state:
            case ClientState.HEAD:
                return self._head(data)
            case ClientState.BODY:
                piece, rest = data[: self._left], data[self._left :]
                self._left -= len(piece)
                if not self._left:
                    self.state = ClientState.HEAD if self._answered else ClientState.DONE
                return piece, rest
            case ClientState.CHUNKED_BODY:
                return data, b""
            case ClientState.DONE:
                self.kept += data
        return None, b""

    def answered(self) -> None:
        """The request has its answer, and the connection can carry another.

        What was kept for ``DONE`` is to be taken before.
        """
        self._answered = True
        if len(self._same) > MAX_REMEMBERED_BYTES:
            self._forget()
        if self.state is ClientState.DONE:
            self.state = ClientState.HEAD

    def take(self) -> bytes:
        """What was kept; it is the caller's from here on."""
        kept, self.kept = self.kept, b""
        return kept

    def switched(self) -> bytes:
        """Another protocol begins, with these octets."""
        self.state = ClientState.SWITCHED
        self._forget()
        return self.take()

    def stop(self) -> None:
        """Whatever comes is dropped from here on."""
        self.state = ClientState.IGNORED
        self.kept = b""
        self._forget()

    def _head(self, data: bytes) -> tuple[bytes | Refuse | None, bytes]:
        """A whole head and what comes behind it; None when it is not whole yet."""
        if self.kept:
            data, self.kept = self.kept + data, b""
        if not self._skipped and data.startswith(LINE):
            # RFC 9112 section 2.2: one empty line before the request line is ignored.
            self._skipped, self._seen = True, 0
            data = data[len(LINE) :]
        end = data.find(END, max(0, self._seen - len(END) + 1))
        if end < 0:
            return self._partial(data), b""
        end += len(END)
        head, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
        self._seen, self._skipped, self._judged_line = 0, False, False
        refusal = self._judge(head)
        if refusal is not None:
            return self._refused(refusal), b""
        self._answered = False
        length, chunked, _ = self.section.framing
        self._left = length
        if chunked:
            self.state = ClientState.CHUNKED_BODY
        else:
            self.state = ClientState.BODY if length else ClientState.DONE
        return head, rest

    def _judge(self, head: bytes) -> Refuse | None:
        """Field lines that are those of the request before need no second look."""
        limits = self._limits
        end = head.find(LINE)
        line, fields = head[:end], head[end:]
        if fields != self._same or end > limits.request_line:
            refusal = check_head(head, limits.request_line, limits.head, limits.fields)
            if refusal is not None:
                return refusal
            self._same, self.section = fields, FieldSection(field_lines(fields))
            _, chunked, fault = self.section.framing
            if fault is not None and not chunked:
                # The end is unknown; behind a coding at fault a parser reads on until the rules
                # have refused the request.
                return malformed(fault.sentence, fault.field.lower())
        read = read_request_line(line)
        if isinstance(read, Refuse):
            return read
        self.request_line = read
        return None

    def _partial(self, data: bytes) -> Refuse | None:
        """Refuse as soon as it is certain; only what is new is looked at."""
        # A CR that came last may have been waiting for its LF.
        new = self._seen - 1 if data[self._seen - 1 : self._seen] == b"\r" else self._seen
        refusal = check_lines(data[new:])
        limits = self._limits
        line = data.find(LINE, 0, limits.request_line + len(LINE))
        if line < 0:
            if len(data) > limits.request_line + len(LINE):
                refusal = refusal or too_long_target()
        elif not self._judged_line:
            self._judged_line = True
            read = read_request_line(data[:line])
            if refusal is None and isinstance(read, Refuse):
                refusal = read
        if line >= 0 and len(data) - line > limits.head + len(END):
            refusal = refusal or too_many_fields()
        if refusal is not None:
            return self._refused(refusal)
        self.kept, self._seen = data, len(data)
        return None

    def _refused(self, refusal: Refuse) -> Refuse:
        self.stop()
        return refusal

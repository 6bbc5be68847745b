"""Where one request ends and the next begins, on the octets of one connection.

Stands in front of aiohttp's parser, which gets one whole head at a time and only heads
that ``rules.syntax`` let through. Like that a faulty request cannot take the place of the
good one before it, and the parser never decides alone what is content and what is a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from proxy.rules.model import Refuse
from proxy.rules.syntax import (
    END,
    as_1_1,
    check_head,
    check_lines,
    check_request_line,
    too_long_target,
    too_many_fields,
)

from .limits import Limits

LINE = b"\r\n"


class Reads(Enum):
    """What the next octets are."""

    HEAD = auto()
    CONTENT = auto()
    CHUNKS = auto()
    """Until the connection ends: behind chunked content nothing is read."""
    LATER = auto()
    """Kept until it is known whether the protocol was switched."""
    NOTHING = auto()
    """Behind a refused request."""


class Framer:
    """Cuts what arrives into heads and content; no I/O.

    Attributes:
        reads: What the next octets are.
        kept: Octets of a head that is not complete, or those kept for ``LATER``.
    """

    __slots__ = (
        "_judged_line",
        "_left",
        "_limits",
        "_seen",
        "_skipped",
        "_switches",
        "kept",
        "reads",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.reads = Reads.HEAD
        self.kept = b""
        self._left = 0
        self._switches = False
        self._seen = 0
        self._skipped = self._judged_line = False

    def cut(self, data: bytes) -> Iterator[bytes | Refuse]:
        """The pieces of ``data`` that go on, in order; a refusal is the last one."""
        while data:
            match self.reads:
                case Reads.HEAD:
                    piece, data = self._head(data)
                    if piece is not None:
                        yield piece
                case Reads.CONTENT:
                    piece, data = data[: self._left], data[self._left :]
                    self._left -= len(piece)
                    if not self._left:
                        self.reads = Reads.LATER if self._switches else Reads.HEAD
                    yield piece
                case Reads.CHUNKS:
                    yield data
                    return
                case Reads.LATER:
                    self.kept += data
                    return
                case Reads.NOTHING:
                    return

    def not_switched(self) -> bytes:
        """The protocol stayed: what was kept is to be cut as requests."""
        self.reads = Reads.HEAD
        return self.take()

    def take(self) -> bytes:
        """What was kept; it is the caller's from here on."""
        kept, self.kept = self.kept, b""
        return kept

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
        limits = self._limits
        framing = check_head(head, limits.request_line, limits.head, limits.fields)
        if isinstance(framing, Refuse):
            return self._refused(framing), b""
        self._left, self._switches = framing.length, framing.switches
        if framing.chunked:
            self.reads = Reads.CHUNKS
        elif framing.length:
            self.reads = Reads.CONTENT
        elif framing.switches:
            self.reads = Reads.LATER
        return as_1_1(head), rest

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
            refusal = refusal or check_request_line(data[:line])
        if line >= 0 and len(data) - line > limits.head + len(END):
            refusal = refusal or too_many_fields()
        if refusal is not None:
            return self._refused(refusal)
        self.kept, self._seen = data, len(data)
        return None

    def _refused(self, refusal: Refuse) -> Refuse:
        self.reads = Reads.NOTHING
        self.kept = b""
        return refusal

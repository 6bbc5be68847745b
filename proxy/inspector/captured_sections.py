"""Field sections that a client repeats are captured once.

Over one connection a client mostly repeats its fields, and then heads share one ``FieldSection``;
what is remembered goes when the section does. Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from weakref import ref

from proxy.inspector.exchange import (
    CapturedChange,
    CapturedHead,
    captured_changes,
    captured_fields,
)
from proxy.observe.record import Record
from proxy.rules.head import Arrival, FieldSection, RequestHead


class _Captured(ref[FieldSection]):
    """What was captured of one field section, which it does not keep alive.

    Attributes:
        identity: The section's ``id``.
        received: The head that came last with these fields.
        lines: The hash of the field lines that went up, with which the following was made; the
            lines themselves hold secrets.
        sent_up: The head that went up last.
        changes: What the rules did.
    """

    __slots__ = ("changes", "identity", "lines", "received", "sent_up")

    identity: int
    received: CapturedHead
    lines: int
    sent_up: CapturedHead
    changes: tuple[CapturedChange, ...]


_NO_HEAD = CapturedHead("", ())


class CapturedSections:
    """What was captured of the sections in use."""

    def __init__(self) -> None:
        self._sections: dict[int, _Captured] = {}

    def __len__(self) -> int:
        return len(self._sections)

    def received(self, section: FieldSection, line: str) -> CapturedHead:
        """The head as it came; ``line`` is its request line."""
        captured = self._of(section)
        if captured.received.line != line:
            captured.received = CapturedHead(line, captured.received.fields)
        return captured.received

    def sent_up(
        self, section: FieldSection, line: str, record: Record
    ) -> tuple[CapturedHead, tuple[CapturedChange, ...]]:
        """The head as it went up, and what the rules did.

        Args:
            section: The fields as they came.
            line: The request line that went up.
            record: Has the head that went up, and the changes.
        """
        captured = self._of(section)
        head = record.upstream_request
        octets = head[head.index(b"\r\n") + 2 : -4]
        lines = hash(octets)
        if captured.lines != lines:
            captured.lines = lines
            captured.sent_up = CapturedHead(line, captured_fields(fields_of(octets)))
            captured.changes = captured_changes(record.changes_up)
        elif captured.sent_up.line != line:
            captured.sent_up = CapturedHead(line, captured.sent_up.fields)
        return captured.sent_up, captured.changes

    def _of(self, section: FieldSection) -> _Captured:
        captured = self._sections.get(id(section))
        if captured is None:
            captured = _Captured(section, self._forget)
            captured.identity = id(section)
            captured.received = CapturedHead("", captured_fields(section.fields))
            captured.sent_up, captured.lines, captured.changes = _NO_HEAD, 0, ()
            self._sections[id(section)] = captured
        return captured

    def _forget(self, captured: ref[FieldSection]) -> None:
        assert isinstance(captured, _Captured), "no other is made"
        del self._sections[captured.identity]


def fields_of(lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The fields in serialised field lines."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n"))
    return tuple((name, value.strip()) for name, _, value in pairs)


def head_of(octets: bytes, arrival: Arrival) -> RequestHead:
    """A request head as it was serialised for Jupyter; content behind it is left out."""
    first, _, lines = octets.partition(b"\r\n\r\n")[0].partition(b"\r\n")
    method, target, _version = first.split(b" ")
    return RequestHead(method, target, (1, 1), fields_of(lines), arrival)

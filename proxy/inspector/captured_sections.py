"""Field sections that a client repeats are captured once.

Over one connection a client mostly repeats its fields, and then heads share one ``FieldSection``;
what is remembered goes when the section does. Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from weakref import ref

from proxy.inspector.exchange import (
    CapturedChange,
    CapturedHead,
    Pair,
    captured_changes,
    captured_fields,
)
from proxy.observe.record import Record
from proxy.rules.head import Arrival, FieldSection, RequestHead
from proxy.rules.request_id import FIELD


class _Captured(ref[FieldSection]):
    """What was captured of one field section, which it does not keep alive.

    Attributes:
        identity: The section's ``id``.
        received: The head that came last with these fields.
        lines: The hash of the field lines that went up, with which the following was made; the
            lines themselves hold secrets.
        sent_up: The fields that went up last, without the request's id.
        changes: What the rules did, without adding that.
    """

    __slots__ = ("changes", "identity", "lines", "received", "sent_up")

    identity: int
    received: CapturedHead
    lines: int
    sent_up: tuple[Pair, ...]
    changes: tuple[CapturedChange, ...]


_ID = FIELD.decode("ascii")
_AROUND_ID = len(FIELD) + len(b": \r\n\r\n")


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
        captured, head = self._of(section), record.upstream_request
        # The request's id is the last field and the last change, and another each time.
        value = record.request_id.decode("ascii")
        octets = head[head.index(b"\r\n") + 2 : -len(value) - _AROUND_ID]
        lines = hash(octets)
        if captured.lines != lines:
            captured.lines = lines
            captured.sent_up = captured_fields(fields_of(octets[:-2]))
            captured.changes = captured_changes(record.changes_up[:-1])
        added = CapturedChange(record.changes_up[-1].rule, _ID, None, value)
        return CapturedHead(line, (*captured.sent_up, (_ID, value))), (*captured.changes, added)

    def _of(self, section: FieldSection) -> _Captured:
        captured = self._sections.get(id(section))
        if captured is None:
            captured = _Captured(section, self._forget)
            captured.identity = id(section)
            captured.received = CapturedHead("", captured_fields(section.fields))
            captured.sent_up, captured.lines, captured.changes = (), 0, ()
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

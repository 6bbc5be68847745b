"""Field sections that a client repeats are captured once.

Over one connection a client mostly repeats its fields, and then heads share one ``FieldSection``;
what is remembered goes when the section does. Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from proxy.inspector.exchange import (
    CapturedChange,
    Pair,
    captured_changes,
    captured_fields,
)
from proxy.observe.record import Record
from proxy.rules.head import Arrival, FieldSection, RequestHead


@dataclass(slots=True)
class _Captured:
    received: tuple[Pair, ...]
    lines: bytes = b""
    """The field lines that went up, with which the following was made."""
    sent_up: tuple[Pair, ...] = ()
    changes: tuple[CapturedChange, ...] = ()


class CapturedSections:
    """What was captured of the sections in use."""

    def __init__(self) -> None:
        self._captured: WeakKeyDictionary[FieldSection, _Captured] = WeakKeyDictionary()

    def received(self, section: FieldSection) -> tuple[Pair, ...]:
        """The fields as they came."""
        return self._of(section).received

    def sent_up(
        self, section: FieldSection, record: Record
    ) -> tuple[tuple[Pair, ...], tuple[CapturedChange, ...]]:
        """The fields as they went up, and what the rules did.

        Args:
            section: The fields as they came.
            record: Has the head that went up, and the changes.
        """
        captured = self._of(section)
        head = record.upstream_request
        lines = head[head.index(b"\r\n") + 2 : head.index(b"\r\n\r\n")]
        if captured.lines != lines:
            captured.lines = lines
            captured.sent_up = captured_fields(fields_of(lines))
            captured.changes = captured_changes(record.changes_up)
        return captured.sent_up, captured.changes

    def _of(self, section: FieldSection) -> _Captured:
        captured = self._captured.get(section)
        if captured is None:
            captured = self._captured[section] = _Captured(captured_fields(section.fields))
        return captured


def fields_of(lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The fields in serialised field lines."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n"))
    return tuple((name, value.strip()) for name, _, value in pairs)


def head_of(octets: bytes, arrival: Arrival) -> RequestHead:
    """A request head as it was serialised for Jupyter; content behind it is left out."""
    first, _, lines = octets.partition(b"\r\n\r\n")[0].partition(b"\r\n")
    method, target, _version = first.split(b" ")
    return RequestHead(method, target, (1, 1), fields_of(lines), arrival)

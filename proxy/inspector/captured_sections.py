"""Field sections that a client repeats are captured once.

Over one connection a client mostly repeats its fields, and then heads share one ``FieldSection``;
what is remembered goes when the section does. Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import ref

from proxy.inspector.captured_text import captured_changes, captured_fields
from proxy.inspector.exchange import Pair, octets_of
from proxy.inspector.snapshot import SentUp, sent_up
from proxy.observe.record import Record
from proxy.rules.head import Field, FieldSection


class CapturedSection(ref[FieldSection]):
    """What was captured of one field section, which it does not keep alive.

    Attributes:
        identity: The section's ``id``.
        received: The fields as they came.
        octets: About what they hold in memory.
    """

    __slots__ = ("_fields_up", "_sent_up", "identity", "octets", "received")

    identity: int
    received: tuple[Pair, ...]
    octets: int
    _fields_up: Sequence[Field] | None
    _sent_up: SentUp

    def sent_up(self, record: Record) -> SentUp:
        """What went up of it, and what the rules did; ``record`` has both."""
        if self._fields_up is not record.fields_up:
            self._fields_up = record.fields_up
            self._sent_up = sent_up(
                captured_fields(record.fields_up), captured_changes(record.changes_up)
            )
        return self._sent_up


class CapturedSections:
    """What was captured of the sections in use."""

    def __init__(self) -> None:
        self._sections: dict[int, CapturedSection] = {}

    def __len__(self) -> int:
        return len(self._sections)

    def of(self, section: FieldSection) -> CapturedSection:
        """What was captured of this one."""
        captured = self._sections.get(id(section))
        if captured is None:
            captured = CapturedSection(section, self._forget)
            captured.identity = id(section)
            captured.received = captured_fields(section.fields)
            captured.octets = octets_of(captured.received)
            captured._fields_up = None
            self._sections[id(section)] = captured
        return captured

    def _forget(self, captured: ref[FieldSection]) -> None:
        assert isinstance(captured, CapturedSection), "no other is made"
        del self._sections[captured.identity]

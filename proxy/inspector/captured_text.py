"""Heads and changes as text without their secrets; what repeats is made once.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar, cast

from proxy.inspector.exchange import CapturedChange, Pair
from proxy.rules.changes import Change
from proxy.rules.head import Field
from proxy.rules.redaction import printable, redact, redact_phrase, redact_target

MAX_VALUE_CHARACTERS = 4096
MAX_REMEMBERED = 4096
"""Fields, and changes, that repeat."""
MAX_REMEMBERED_CHARACTERS = 1024
"""Of the value of one of them."""


def captured_fields(fields: Sequence[Field]) -> tuple[Pair, ...]:
    """Fields as text, redacted."""
    captured = [*map(_fields.get, map(hash, fields))]
    while not all(captured):
        place = captured.index(None)
        captured[place] = captured_field(fields[place])
    return cast(tuple[Pair, ...], tuple(captured))


def captured_target(target: bytes) -> str:
    """A request target as text, redacted."""
    return printable(redact_target(target), MAX_VALUE_CHARACTERS)


def status_line(status: int, reason: bytes) -> str:
    """The first line of a response; its reason phrase may say anything."""
    known = _STATUS_LINES.get((status, reason))
    return known or f"HTTP/1.1 {status} {printable(redact_phrase(reason))}".rstrip()


_STATUS_LINES = {
    (status.value, status.phrase.encode("ascii")): f"HTTP/1.1 {status.value} {status.phrase}"
    for status in HTTPStatus
}


def captured_field(field: Field) -> Pair:
    """One field as text, redacted; remembered for the next time that it comes."""
    name, value = field
    pair = printable(name), captured_value(name, value)
    if len(pair[1]) <= MAX_REMEMBERED_CHARACTERS:
        _remember(_fields, hash(field), pair)
    return pair


Value = TypeVar("Value")


def _remember(known: dict[int, Value], key: int, value: Value) -> None:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = value


_fields: dict[int, Pair] = {}
_changes: dict[int, CapturedChange] = {}
"""What was captured of fields and changes that repeat from exchange to exchange, by their hash.

Most of the capture's time would go into redacting the same fields again. They themselves hold
secrets and are not kept; their hashes are keyed by the process, and of 64 bits.
"""


def captured_value(name: bytes, value: bytes) -> str:
    """A field's value as text, redacted."""
    return printable(redact(name, value), MAX_VALUE_CHARACTERS)


def captured_changes(changes: Sequence[Change]) -> tuple[CapturedChange, ...]:
    """What the rules did, as text, redacted."""
    captured = [*map(_changes.get, map(hash, changes))]
    if not all(captured):
        # Not by index: it would compare each with None, in Python.
        captured = [
            one or _captured_change(change) for one, change in zip(captured, changes, strict=True)
        ]
    return cast(tuple[CapturedChange, ...], tuple(captured))


def _captured_now(field: Field) -> Pair:
    return _fields.get(hash(field)) or captured_field(field)


def _captured_change(change: Change) -> CapturedChange:
    rule, name, before, after = change
    captured = CapturedChange(
        rule,
        printable(name),
        None if before is None else _captured_now((name, before))[1],
        None if after is None else _captured_now((name, after))[1],
    )
    if len(captured.before or "") + len(captured.after or "") <= MAX_REMEMBERED_CHARACTERS:
        _remember(_changes, hash(change), captured)
    return captured

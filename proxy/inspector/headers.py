"""The text of ``--show-headers`` for one exchange: what each rule removed, added or changed."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.observe.record import Record
from proxy.rules.changes import Change
from proxy.rules.redaction import printable, redact, redact_target


def format_changes(record: Record) -> str:
    """Several lines: the exchange, then every change with its rule's name.

    Marks: ``-`` removed, ``+`` added, ``~`` changed; up is towards Jupyter.
    """
    head = record.head
    target = printable(redact_target(head.target))
    exchange = f"{printable(head.method)} {target} from {head.arrival.peer}"
    lines = [f"{exchange}: {record.status} {record.outcome}"]
    both = (*record.changes_up, *record.changes_down)
    width = max((len(change.rule) for change in both), default=0)
    lines += _side("up  ", record.changes_up, width)
    lines += _side("down", record.changes_down, width)
    return "\n".join(lines)


def _side(label: str, changes: Sequence[Change], width: int) -> list[str]:
    return [f"  {label} {change.rule:<{width}} {_line(change)}" for change in changes]


def _line(change: Change) -> str:
    name = printable(change.name)
    if change.after is None:
        return f"- {name}: {_value(change, change.before)}"
    if change.before is None:
        return f"+ {name}: {_value(change, change.after)}"
    return f"~ {name}: {_value(change, change.before)} => {_value(change, change.after)}"


def _value(change: Change, value: bytes | None) -> str:
    return printable(redact(change.name, value or b""))

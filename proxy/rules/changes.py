"""The rules' changes to a head, for ``--show-headers`` and the inspector."""

from __future__ import annotations

from typing import NamedTuple

from .head import Field


class Change(NamedTuple):
    """A change of one header field.

    Attributes:
        rule: The rule that changed it.
        name: The field's name.
        before: The value before; None if the rule added the field.
        after: The value after; None if the rule removed the field.
    """

    rule: str
    name: bytes
    before: bytes | None
    after: bytes | None


def note(changes: list[Change] | None, rule: str, field: Field, after: bytes | None) -> None:
    """Append the change of ``field``'s value to ``after``, if it is one and if there is a list."""
    if changes is not None and field[1] != after:
        changes.append(Change(rule, field[0], field[1], after))


def differences(rule: str, before: list[Field], after: list[Field]) -> list[Change]:
    """What ``rule`` changed in a list of fields in which no name stands twice for it."""
    if before is after:
        return []
    old, new = (
        {name.lower(): (name, value) for name, value in fields} for fields in (before, after)
    )
    changes = [
        Change(rule, name, value, new[key][1] if key in new else None)
        for key, (name, value) in old.items()
        if key not in new or new[key][1] != value
    ]
    added = [new[key] for key in new if key not in old]
    return changes + [Change(rule, name, None, value) for name, value in added]

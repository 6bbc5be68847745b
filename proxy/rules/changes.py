"""What the rules changed in a head, for ``--show-headers`` and the inspector."""

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

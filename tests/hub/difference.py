"""One behaviour in which labgate differs from configurable-http-proxy on purpose."""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """One behaviour of each.

    Attributes:
        what: What is compared.
        chp: What configurable-http-proxy does.
        labgate: What labgate does.
        reason: Why labgate does it.
    """

    what: str
    chp: object
    labgate: object
    reason: str

    @property
    def row(self) -> str:
        """The line of .github/JUPYTERHUB.md."""
        return f"| {self.what} | {shown(self.chp)} | {shown(self.labgate)} | {self.reason} |"


def shown(value: object) -> str:
    """A value in a document.

    >>> shown(True), shown(None), shown(("a", 1))
    ('yes', 'none', '`a`, 1')
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case tuple():
            return ", ".join(map(shown, value))
        case str() if " " not in value or value.startswith(("GET ", "labgate ")):
            return f"`{value}`"
        case _:
            return str(value)

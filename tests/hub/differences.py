"""Where labgate differs from configurable-http-proxy 5.3 on purpose, and why.

Each line is asserted on both sides (``test_differences`` and the tests of the contract): what it
says of CHP is measured, not remembered. ``python -m tests.hub.differences`` prints the table of
.github/JUPYTERHUB.md.
"""

from __future__ import annotations

from tests.hub.difference import Difference
from tests.hub.differing_flags import FLAGS
from tests.hub.differing_requests import REQUESTS

DIFFERENCES: dict[str, Difference] = {**FLAGS, **REQUESTS}


def expected(kind: str, name: str) -> object:
    """What one of the two does."""
    difference = DIFFERENCES[name]
    return difference.chp if kind == "chp" else difference.labgate


def table() -> str:
    """All of them, for people."""
    head = "| | CHP 5.3 | labgate | because |\n|---|---|---|---|"
    return "\n".join([head, *(difference.row for difference in DIFFERENCES.values())])


if __name__ == "__main__":
    print(table())

"""A mutant: one change of one function."""

from __future__ import annotations

import difflib
import json
import textwrap
from dataclasses import dataclass
from pathlib import Path

SURVIVED = frozenset({0, 5, 33})
"""Exit codes of mutmut: the tests passed; no test was collected; no test calls the function."""

TIMEOUTS = frozenset({24, 36, 152, 255, -24, -9})
"""Exit codes of mutmut for tests that did not end in time, or were killed for it."""

FIRST_LINE = "- its first line\n+ its first line, with another default"
"""What is said of a change that a mutant's number hides."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant that was tried.

    Attributes:
        key: The function, and the changed lines before and after as a diff. It contains no line
            number and no other line, so it does not change with them.
        name: What mutmut calls it; it has a number, which changes with the function.
        exit_code: The exit code of mutmut; None if it was not tried.
    """

    key: str
    name: str
    exit_code: int | None

    @property
    def killed(self) -> bool:
        """Whether a test failed."""
        return self.exit_code is not None and not self.survived

    @property
    def survived(self) -> bool:
        """Whether no test failed."""
        return self.exit_code in SURVIVED


def mutants_of(mutated: Path, module: str) -> list[Mutant]:
    """Read the mutants of one file.

    mutmut writes every mutant as a function of its own, named ``x_FUNCTION__mutmut_NUMBER`` or
    ``xǁCLASSǁFUNCTION__mutmut_NUMBER``, and beside the file which lines it has and how it ended.

    Args:
        mutated: The file that mutmut made.
        module: The name of its module below ``proxy``.
    """
    lines = mutated.read_text("utf-8").splitlines()
    spans = json.loads(Path(f"{mutated}.spans").read_text())["spans"]
    tried = json.loads(Path(f"{mutated}.meta").read_text())["exit_code_by_key"]
    found = []
    for name, exit_code in tried.items():
        function, _, number = name.rpartition(".")[2].partition("__mutmut_")
        before, after = (
            _source(lines, spans[f"{function}__mutmut_{which}"]) for which in ("orig", number)
        )
        path = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        changed = _changed_lines(before, after) or FIRST_LINE
        found.append(Mutant(f"{module}.{path}\n{changed}", name, exit_code))
    return found


def _source(lines: list[str], span: tuple[int, int]) -> list[str]:
    """A function without its first line, which has the mutant's number."""
    first, last = span
    body = lines[first - 1 : last]
    signature = next(
        at for at, line in enumerate(body) if line.lstrip().startswith(("def", "async"))
    )
    return textwrap.dedent("\n".join(body[signature + 1 :])).splitlines()


def _changed_lines(before: list[str], after: list[str]) -> str:
    diff = difflib.unified_diff(before, after, n=0, lineterm="")
    return "\n".join(
        f"{line[0]} {line[1:].strip()}"
        for line in diff
        if not line.startswith(("---", "+++", "@@")) and line[1:].strip()
    )

"""The last warnings and errors that were logged, for ``labgate status``."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

MAX_PROBLEMS = 10
MAX_TEXT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class LoggedProblem:
    """A warning or an error.

    Attributes:
        at: Unix time, in seconds.
        level: ``warning`` or ``error``.
        text: The first line of it.
    """

    at: float
    level: str
    text: str


class LastProblems(logging.Handler):
    """Keeps the last of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: deque[LoggedProblem] = deque(maxlen=MAX_PROBLEMS)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage().split("\n", 1)[0][:MAX_TEXT_CHARACTERS]
        except Exception:
            self.handleError(record)
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self.kept.append(LoggedProblem(record.created, level, text))


_handler = LastProblems()


def keep_last_problems() -> None:
    """Keep what labgate logs from now on; a second call changes nothing."""
    logging.getLogger("labgate").addHandler(_handler)


def last_problems() -> tuple[LoggedProblem, ...]:
    """The last warnings and errors of this process, oldest first."""
    return tuple(_handler.kept)

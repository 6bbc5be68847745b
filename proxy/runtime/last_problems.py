"""The last warnings and errors of labgate's own that were logged, for ``labgate status``."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

MAX_PROBLEMS = 10
MAX_TEXT_CHARACTERS = 500

_ONE_REQUEST = "labgate_one_request"
OF_ONE_REQUEST = {_ONE_REQUEST: True}
"""For ``extra`` of a log call: it warns of one client's request, and nothing is wrong with labgate.

Anybody can send such requests by the thousand, and ``labgate doctor`` does: they would push out
what the operator has to know.
"""

_RELOAD = "labgate_reload"
OF_A_RELOAD = {_RELOAD: True}
"""For ``extra`` of a log call: a reload did not succeed, which the next good one mends."""


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
        self.of_reloads: deque[LoggedProblem] = deque(maxlen=MAX_PROBLEMS)

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _ONE_REQUEST, False):
            return
        try:
            text = record.getMessage().split("\n", 1)[0][:MAX_TEXT_CHARACTERS]
        except Exception:
            self.handleError(record)
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        problem = LoggedProblem(record.created, level, text)
        self.kept.append(problem)
        if getattr(record, _RELOAD, False):
            self.of_reloads.append(problem)

    def forget_reloads(self) -> None:
        """Leave out what was logged ``OF_A_RELOAD``."""
        self.acquire()  # other threads log, too
        try:
            mended = set(self.of_reloads)
            self.of_reloads.clear()
            left = [problem for problem in self.kept if problem not in mended]
            self.kept.clear()
            self.kept.extend(left)
        finally:
            self.release()


_handler = LastProblems()


def keep_last_problems() -> None:
    """Keep what labgate logs from now on; a second call changes nothing."""
    logging.getLogger("labgate").addHandler(_handler)


def last_problems() -> tuple[LoggedProblem, ...]:
    """The last warnings and errors of this process, oldest first."""
    return tuple(_handler.kept)


def forget_reload_problems() -> None:
    """Leave out the reloads that did not succeed: a later one did."""
    _handler.forget_reloads()

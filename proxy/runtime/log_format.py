"""The form of every line on standard error: text for people, or JSON for programs.

One schema for all of them: ``time``, ``level``, ``message``, and the facts that a line has, such as
``client`` and ``request_id``. Text has the time of this place, JSON that of UTC (RFC 3339).
Control characters are escaped in both: what a peer sent forges no line, and steers no terminal.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Literal, TypeAlias

FormatName = Literal["text", "json"]
Facts: TypeAlias = Mapping[str, "str | int | float | bool"]
"""Keys by which a program can select lines; a log call passes them as ``extra=facts(…)``."""

_FACTS = "labgate_facts"


class LogFormat:
    """Makes lines. Everything that writes lines shares one: change ``name``, and they follow.

    Attributes:
        name: ``text`` or ``json``.
    """

    def __init__(self, name: FormatName = "text") -> None:
        self.name: FormatName = name
        self._second = 0
        self._stamps: tuple[str, str] = ("", "")

    def line(
        self, at: float, level: str, message: str, known: Facts | None = None, trace: str = ""
    ) -> str:
        """A line with its end; text leaves the facts out, because its message names them.

        Args:
            at: By ``time.time()``.
            level: Of ``logging``, in upper case.
            message: What happened.
            known: The facts.
            trace: Of an exception: in text the lines after this one.
        """
        if int(at) != self._second:
            self._second = int(at)
            self._stamps = (
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)),
                time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)),
            )
        text_stamp, json_stamp = self._stamps
        milliseconds = int(at * 1000) % 1000
        if self.name == "text":
            if not message.isprintable():
                message = _escaped(message)
            if trace:
                message = "\n".join((message, *map(_escaped, trace.split("\n"))))
            return f"{text_stamp},{milliseconds:03d} {level} {message}\n"
        entry: dict[str, object] = {
            "time": f"{json_stamp}.{milliseconds:03d}Z",
            "level": level.lower(),
        }
        entry |= {"message": message, **(known or {})}
        if trace:
            entry["exception"] = trace
        return json.dumps(entry) + "\n"


def _escaped(text: str) -> str:
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


STANDARD_ERROR_FORMAT = LogFormat()
"""Of this process. A reload of the configuration sets its ``name``."""


class LineFormatter(logging.Formatter):
    """Formats what ``logging`` gets, by ``STANDARD_ERROR_FORMAT`` or another format."""

    def __init__(self, log_format: LogFormat = STANDARD_ERROR_FORMAT) -> None:
        super().__init__()
        self._format = log_format

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        known = getattr(record, _FACTS, None)
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return self._format.line(record.created, record.levelname, message, known, trace)[:-1]


def facts(**known: str | int | float | bool) -> dict[str, Facts]:
    """For ``extra`` of a log call: the facts of its line."""
    return {_FACTS: known}

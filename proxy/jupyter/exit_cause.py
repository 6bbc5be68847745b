"""Why Jupyter exited, derived from events, exit code and log. Pure: does no I/O.

The events of a container's exit (Docker Engine API, ``GET /events``):

- ``docker stop``: kill (signal 15), die, stop
- ``docker restart``: kill, die, stop, start, restart
- ``docker kill``: kill, die
- ``docker rm --force``: kill, die, destroy
- out of memory: oom, die
- Shut Down in Jupyter's menu, and a crash: die alone

The engine may report simultaneous events in another order, and forgets them when it restarts.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class ExitCause(Enum):
    """What ended Jupyter."""

    SHUT_DOWN = auto()
    """Jupyter itself: Shut Down in its menu, or its inactivity timeout."""
    OUTSIDE = auto()
    """A command or signal from outside: stop, kill or remove."""
    CRASHED = auto()
    """An error, or a lack of memory."""
    UNKNOWN = auto()
    """The available information does not say."""


@dataclass(frozen=True, slots=True)
class ExitReason:
    """``description`` follows a name: ``was stopped from outside (signal 15)``."""

    cause: ExitCause
    description: str


@dataclass(frozen=True, slots=True)
class Event:
    """One of the engine's events about a container.

    Attributes:
        action: ``kill``, ``die``, ``stop`` and so on.
        at: Nanoseconds since 1970, by the engine's clock.
        signal: The signal of ``kill``; 0 for other actions.
        exit_code: The exit code of ``die``; 0 for other actions.
    """

    action: str
    at: int
    signal: int = 0
    exit_code: int = 0


ACTIONS = ("start", "kill", "die", "stop", "oom", "destroy")
"""The events to request from the engine."""

_HARMLESS_SIGNALS = frozenset({10, 17, 18, 19, 20, 23, 28})
"""Signals (Linux numbers) that do not end Jupyter: USR1 (it prints its address), CHLD, CONT, STOP,
TSTP, URG and WINCH, which an attached terminal sends."""

# jupyter_server: services/shutdown.py, ServerApp.shutdown_no_activity, ServerApp._signal_stop.
_LOGGED_REASON = re.compile(
    r"(?P<own>Shutting down on /api/shutdown request|No kernels.* for \d+ seconds; shutting down)"
    r"|received signal (?P<signal>\d+), stopping"
)

_FAULT_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP}
)


def event_of(message: Mapping[str, Any]) -> Event:
    """Parse an event of the Engine API."""
    attributes = message.get("Actor", {}).get("Attributes", {})
    return Event(
        message.get("Action", ""),
        int(message.get("timeNano", 0)),
        _number(attributes.get("signal")),
        _number(attributes.get("exitCode")),
    )


def container_exit(
    events: Iterable[Event], state: Mapping[str, Any] | None, lines: Sequence[str]
) -> ExitReason:
    """Why a container exited.

    Args:
        events: The known events of this container, in any order.
        state: ``State`` of the inspected container; None if it was removed.
        lines: The end of Jupyter's log.
    """
    removed = state is None
    life = _last_run(sorted(events, key=lambda event: event.at))
    died = next((event for event in life if event.action == "die"), None)
    if died is None:
        if removed:
            return ExitReason(ExitCause.OUTSIDE, "was removed")
        return ExitReason(ExitCause.UNKNOWN, _status(_exit_code(state)))
    if removed and any(event.action == "kill" for event in life):
        return ExitReason(ExitCause.OUTSIDE, "was removed")
    if ending := [event.signal for event in life if event.action == "kill" and _ends(event)]:
        return ExitReason(ExitCause.OUTSIDE, f"was stopped from outside (signal {ending[-1]})")
    if any(event.action == "stop" for event in life):
        return ExitReason(ExitCause.OUTSIDE, "was stopped from outside")
    exit_code = died.exit_code or _exit_code(state)
    if exit_code:
        short = state is not None and state.get("OOMKilled")
        return ExitReason(ExitCause.CRASHED, "ran out of memory" if short else _status(exit_code))
    # No command to the engine; a signal may still have been sent directly.
    if logged := _logged_reason(lines):
        return logged
    return ExitReason(ExitCause.SHUT_DOWN, "shut itself down")


def process_exit(exit_code: int, lines: Sequence[str]) -> ExitReason:
    """Why a process exited.

    Jupyter exits with 0 after Shut Down and after SIGTERM: only its log distinguishes them.

    Args:
        exit_code: As of ``subprocess``: negative for a signal.
        lines: Jupyter's log since its start.
    """
    if exit_code < 0:
        name = _signal_name(-exit_code)
        cause = ExitCause.CRASHED if -exit_code in _FAULT_SIGNALS else ExitCause.OUTSIDE
        return ExitReason(cause, f"was ended by {name}")
    if exit_code > 0:
        return ExitReason(ExitCause.CRASHED, _status(exit_code))
    return _logged_reason(lines) or ExitReason(ExitCause.UNKNOWN, _status(exit_code))


def is_ending(lines: Sequence[str]) -> bool:
    """Whether Jupyter has logged why it ends."""
    return _logged_reason(lines) is not None


def hung_exit(lines: Sequence[str]) -> ExitReason:
    """Why a process was killed that no longer listened and had not exited.

    Args:
        lines: Jupyter's log since its start.
    """
    logged = _logged_reason(lines)
    return ExitReason(
        logged.cause if logged else ExitCause.CRASHED,
        "hung while it ended, with its port closed, and was killed",
    )


def _logged_reason(lines: Sequence[str]) -> ExitReason | None:
    """The last reason that Jupyter logged."""
    for line in reversed(lines):
        if match := _LOGGED_REASON.search(line):
            if match["own"]:
                return ExitReason(ExitCause.SHUT_DOWN, "shut itself down")
            return ExitReason(
                ExitCause.OUTSIDE, f"was ended by {_signal_name(int(match['signal']))}"
            )
    return None


def _last_run(events: list[Event]) -> list[Event]:
    """The events of the last run: from the last ``start`` that precedes the last ``die``."""
    ends = [place for place, event in enumerate(events) if event.action == "die"]
    if not ends:
        return events
    starts = [place for place, event in enumerate(events) if event.action == "start"]
    return events[max((place for place in starts if place < ends[-1]), default=0) :]


def _ends(kill: Event) -> bool:
    return kill.signal not in _HARMLESS_SIGNALS


def _exit_code(state: Mapping[str, Any] | None) -> int:
    return int(state["ExitCode"]) if state is not None else 0


def _status(exit_code: int) -> str:
    return f"exited with status {exit_code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0

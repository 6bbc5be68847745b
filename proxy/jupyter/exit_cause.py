"""Why Jupyter ended, told from what is known of its exit. Decides; waits for nothing.

What a container's exit looks like (Docker Engine API, ``GET /events``):

- ``docker stop``: kill (signal 15), die, stop
- ``docker restart``: kill, die, stop, start, restart
- ``docker kill``: kill, die
- ``docker rm --force``: kill, die, destroy
- out of memory: oom, die
- Shut Down in Jupyter's menu, and a crash: die alone

Events of one moment may be told in another order than they happened in, and an engine that was
restarted has forgotten them.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class ExitCause(Enum):
    """Whose doing it was."""

    SHUT_DOWN = auto()
    """Jupyter's own: Shut Down in its menu, or nobody used it for as long as it was told."""
    OUTSIDE = auto()
    """Somebody's beside it: stopped, killed or removed."""
    CRASHED = auto()
    """Nobody's."""
    UNKNOWN = auto()
    """Not to be told."""


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
        at: Nanoseconds, by the engine's clock.
        signal: With ``kill``, else 0.
        exit_code: With ``die``, else 0.
    """

    action: str
    at: int
    signal: int = 0
    exit_code: int = 0


ACTIONS = ("start", "kill", "die", "stop", "oom", "destroy")
"""What tells of an exit; the engine need not send anything else."""

_HARMLESS_SIGNALS = frozenset({10, 17, 18, 19, 20, 23, 28})
"""Signals, as Linux numbers them, that end no Jupyter: USR1 (it tells its address), CHLD, CONT,
STOP, TSTP, URG and WINCH, which an attached terminal sends."""

# jupyter_server: services/shutdown.py, ServerApp.shutdown_no_activity, ServerApp._signal_stop.
_LOGGED_REASON = re.compile(
    r"(?P<own>Shutting down on /api/shutdown request|No kernels.* for \d+ seconds; shutting down)"
    r"|received signal (?P<signal>\d+), stopping"
)

_FAULT_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP}
)


def event_of(told: Mapping[str, Any]) -> Event:
    """Read an event as the Engine API describes it."""
    attributes = told.get("Actor", {}).get("Attributes", {})
    return Event(
        told.get("Action", ""),
        int(told.get("timeNano", 0)),
        _number(attributes.get("signal")),
        _number(attributes.get("exitCode")),
    )


def container_exit(
    events: Iterable[Event], state: Mapping[str, Any] | None, lines: Sequence[str]
) -> ExitReason:
    """Why a container ended.

    Args:
        events: Of this container, as far back as they are known, in any order.
        state: ``State`` as inspecting the container gives it; None when it is gone.
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
    # Nothing came through the engine, and still it may have been a signal.
    if told := _logged_reason(lines):
        return told
    return ExitReason(ExitCause.SHUT_DOWN, "shut itself down")


def process_exit(exit_code: int, lines: Sequence[str]) -> ExitReason:
    """Why a process ended.

    Jupyter ends with 0 after a SIGTERM as well: only its log tells the two apart.

    Args:
        exit_code: As ``subprocess`` has it: negative for a signal.
        lines: Jupyter's log since it was started.
    """
    if exit_code < 0:
        name = _signal_name(-exit_code)
        cause = ExitCause.CRASHED if -exit_code in _FAULT_SIGNALS else ExitCause.OUTSIDE
        return ExitReason(cause, f"was ended by {name}")
    if exit_code > 0:
        return ExitReason(ExitCause.CRASHED, _status(exit_code))
    return _logged_reason(lines) or ExitReason(ExitCause.UNKNOWN, _status(exit_code))


def _logged_reason(lines: Sequence[str]) -> ExitReason | None:
    """What Jupyter itself said last of the reason."""
    for line in reversed(lines):
        if said := _LOGGED_REASON.search(line):
            if said["own"]:
                return ExitReason(ExitCause.SHUT_DOWN, "shut itself down")
            return ExitReason(
                ExitCause.OUTSIDE, f"was ended by {_signal_name(int(said['signal']))}"
            )
    return None


def _last_run(events: list[Event]) -> list[Event]:
    """From the last start before the last end on; what comes behind that end belongs to it."""
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

from __future__ import annotations

import random
import signal
from typing import Any

import pytest

from proxy.jupyter.exit_cause import (
    Event,
    ExitCause,
    container_exit,
    event_of,
    hung_exit,
    is_ending,
    process_exit,
)

SHUT_DOWN, OUTSIDE = ExitCause.SHUT_DOWN, ExitCause.OUTSIDE
CRASHED, UNKNOWN = ExitCause.CRASHED, ExitCause.UNKNOWN

MENU_LINE = "[I 2026-11-25 21:00:00.000 ServerApp] Shutting down on /api/shutdown request."
IDLE_LINE = "[I 2026-11-25 21:00:00.000 ServerApp] No kernels for 600 seconds; shutting down."
SIGNAL_LINE = "[C 2026-11-25 21:00:00.000 ServerApp] received signal 15, stopping"


def events(*words: str) -> list[Event]:
    """``kill:9`` has a signal, ``die:137`` an exit code; in the order they happened."""
    described = []
    for at, word in enumerate(words, 1):
        action, _, number = word.partition(":")
        signal_number = int(number) if action == "kill" else 0
        exit_code = int(number or 0) if action == "die" else 0
        described.append(Event(action, at, signal_number, exit_code))
    return described


def exited(code: int, *, oom: bool = False) -> dict[str, Any]:
    return {"Running": False, "Restarting": False, "OOMKilled": oom, "ExitCode": code}


GONE = None

CONTAINERS = [
    pytest.param(events("die:0"), exited(0), (), SHUT_DOWN, "shut itself down", id="menu"),
    pytest.param(
        events("start", "die:0"), exited(0), (MENU_LINE,), SHUT_DOWN, "shut itself", id="menu, told"
    ),
    pytest.param(events("die:0"), exited(0), (IDLE_LINE,), SHUT_DOWN, "shut itself", id="idle"),
    pytest.param(
        events("kill:15", "die:0", "stop"), exited(0), (), OUTSIDE, "(signal 15)", id="docker stop"
    ),
    pytest.param(
        events("kill:15", "kill:9", "die:137", "stop"),
        exited(137),
        (),
        OUTSIDE,
        "(signal 9)",
        id="docker stop, out of patience",
    ),
    pytest.param(
        events("die:0", "stop"), exited(0), (), OUTSIDE, "from outside", id="the kill is forgotten"
    ),
    pytest.param(
        events("die:0", "kill:15"), exited(0), (), OUTSIDE, "(signal 15)", id="the kill comes late"
    ),
    pytest.param(
        events("kill:9", "die:137"), exited(137), (), OUTSIDE, "(signal 9)", id="docker kill"
    ),
    pytest.param(
        events("kill:15", "die:0"), exited(0), (), OUTSIDE, "(signal 15)", id="docker kill -s TERM"
    ),
    pytest.param(
        events("kill:15", "die:0"),
        exited(0),
        (MENU_LINE,),
        OUTSIDE,
        "(signal 15)",
        id="both at once",
    ),
    pytest.param(
        events("kill:9", "die:137", "destroy"), GONE, (), OUTSIDE, "was removed", id="docker rm -f"
    ),
    pytest.param([], GONE, (), OUTSIDE, "was removed", id="removed, and nothing is known"),
    pytest.param(events("destroy"), GONE, (), OUTSIDE, "was removed", id="removed long after"),
    pytest.param(
        events("die:0", "destroy"), GONE, (), SHUT_DOWN, "shut itself", id="menu of a docker --rm"
    ),
    pytest.param(
        events("die:1", "destroy"), GONE, (), CRASHED, "status 1", id="crash of a docker --rm"
    ),
    pytest.param(events("die:1"), exited(1), (), CRASHED, "exited with status 1", id="crash"),
    pytest.param(
        events("oom", "die:137"), exited(137, oom=True), (), CRASHED, "ran out of memory", id="oom"
    ),
    pytest.param(
        events("oom", "die:0"), exited(0, oom=True), (), SHUT_DOWN, "shut", id="oom of a kernel"
    ),
    pytest.param(
        events("oom", "kill:15", "die:0", "stop"),
        exited(0, oom=True),
        (),
        OUTSIDE,
        "(signal 15)",
        id="oom of a kernel, then docker stop",
    ),
    pytest.param(
        events("die:0"), exited(0), (SIGNAL_LINE,), OUTSIDE, "SIGTERM", id="a signal from inside"
    ),
    pytest.param(
        events("kill:28", "kill:10", "die:0"), exited(0), (), SHUT_DOWN, "shut", id="harmless kills"
    ),
    pytest.param(
        events("kill:2", "die:130"), exited(130), (), OUTSIDE, "(signal 2)", id="docker kill -s INT"
    ),
    pytest.param(
        events("kill:15", "die:0", "stop", "start", "die:0"),
        exited(0),
        (),
        SHUT_DOWN,
        "shut",
        id="menu after a docker restart",
    ),
    pytest.param(
        events("die:1", "start", "die:1", "start", "die:1"),
        exited(1),
        (),
        CRASHED,
        "status 1",
        id="the engine tried again",
    ),
    pytest.param(
        events("die:0", "start", "kill:15", "die:0", "stop"),
        exited(0),
        (),
        OUTSIDE,
        "(signal 15)",
        id="docker stop after a menu",
    ),
    pytest.param([], exited(0), (), UNKNOWN, "status 0", id="an engine that was restarted"),
    pytest.param(
        [], exited(0), (MENU_LINE,), UNKNOWN, "status 0", id="no events, and an old log perhaps"
    ),
    pytest.param(events("start"), exited(143), (), UNKNOWN, "status 143", id="die is forgotten"),
]


@pytest.mark.parametrize(("described", "state", "lines", "cause", "what"), CONTAINERS)
def test_a_container(described: Any, state: Any, lines: Any, cause: ExitCause, what: str) -> None:
    shuffled = random.Random(1).sample(described, len(described))
    for order in (described, described[::-1], shuffled):
        why = container_exit(order, state, lines)
        assert why.cause is cause
        assert what in why.description


PROCESSES = [
    pytest.param(0, (MENU_LINE,), SHUT_DOWN, "shut itself down", id="menu"),
    pytest.param(0, (MENU_LINE, "Shutting down 1 kernel"), SHUT_DOWN, "shut", id="menu, and more"),
    pytest.param(0, (IDLE_LINE,), SHUT_DOWN, "shut itself down", id="idle"),
    pytest.param(0, (SIGNAL_LINE,), OUTSIDE, "was ended by SIGTERM", id="SIGTERM"),
    pytest.param(0, (MENU_LINE, SIGNAL_LINE), OUTSIDE, "SIGTERM", id="what was said last counts"),
    pytest.param(0, ("received signal 99, stopping",), OUTSIDE, "signal 99", id="any signal"),
    pytest.param(0, (), UNKNOWN, "exited with status 0", id="it says nothing"),
    pytest.param(1, (MENU_LINE,), CRASHED, "exited with status 1", id="crash"),
    pytest.param(-signal.SIGTERM, (), OUTSIDE, "was ended by SIGTERM", id="before it listens"),
    pytest.param(-signal.SIGKILL, (), OUTSIDE, "was ended by SIGKILL", id="SIGKILL"),
    pytest.param(-signal.SIGSEGV, (), CRASHED, "was ended by SIGSEGV", id="a fault"),
]


@pytest.mark.parametrize(("code", "lines", "cause", "what"), PROCESSES)
def test_a_process(code: int, lines: Any, cause: ExitCause, what: str) -> None:
    why = process_exit(code, lines)
    assert why.cause is cause
    assert what in why.description


@pytest.mark.parametrize(
    ("lines", "cause"),
    [((), CRASHED), ((SIGNAL_LINE,), OUTSIDE), ((MENU_LINE,), SHUT_DOWN)],
)
def test_a_process_that_hangs(lines: Any, cause: ExitCause) -> None:
    assert is_ending(lines) == bool(lines)
    why = hung_exit(lines)
    assert why.cause is cause
    assert why.description == "hung while it ended, with its port closed, and was killed"


def test_an_event_as_the_engine_tells_it() -> None:
    described = {
        "Action": "kill",
        "Actor": {"ID": "abc", "Attributes": {"image": "x", "name": "jupyter", "signal": "15"}},
        "time": 1795640460,
        "timeNano": 1795640460923527407,
    }
    assert event_of(described) == Event("kill", 1795640460923527407, 15)
    described = {"Action": "die", "Actor": {"Attributes": {"exitCode": "137"}}, "timeNano": 2}
    assert event_of(described) == Event("die", 2, exit_code=137)
    assert event_of({"Action": "kill", "Actor": {"Attributes": {"signal": "SIGTERM"}}}).signal == 0

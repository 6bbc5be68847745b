from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import pytest

from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launched, Login
from proxy.jupyter.supervision import Supervision, is_interactive
from proxy.net.upstream_address import UpstreamAddress
from tests.jupyter.test_readiness import replying, serving

LAUNCHED = Launched(UpstreamAddress("127.0.0.1", 1), Login("unknown"), "container x, started")
MENU = JupyterExit(0, "container x shut itself down", (), ExitCause.SHUT_DOWN)
OUTSIDE = JupyterExit(
    0, "container x was stopped from outside (signal 15)", ("…",), ExitCause.OUTSIDE
)
CRASH = JupyterExit(
    1, "container x exited with status 1", ("Traceback", "Oh no"), ExitCause.CRASHED
)
UNKNOWN = JupyterExit(0, "container x exited with status 0", ("the last line",), ExitCause.UNKNOWN)


class Scripted:
    """A launcher whose Jupyter ends, and starts again or not, as the test wants."""

    def __init__(
        self, ends: Sequence[JupyterExit], starts: Sequence[Launched | Exception] = ()
    ) -> None:
        self.ends = iter(ends)
        self.starts: Iterator[Launched | Exception] = iter(starts)
        self.started = 0
        self.over = asyncio.Event()

    async def launch(self) -> Launched:
        raise NotImplementedError

    async def wait_for_exit(self) -> JupyterExit:
        if end := next(self.ends, None):
            return end
        self.over.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def relaunch(self) -> Launched:
        self.started += 1
        start = next(self.starts, LAUNCHED)
        if isinstance(start, Exception):
            raise start
        return start

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        return ()

    def follow_log(self, count: int) -> AsyncIterator[str]:
        raise NotImplementedError

    async def condition(self) -> str:
        return ""

    async def leave(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError


class Run:
    """A supervision until everything scripted has happened."""

    def __init__(self, launcher: Scripted, *, interactive: bool, pause: float = 0.0) -> None:
        self.launcher = launcher
        self.moved: list[Launched] = []
        self.supervision = Supervision(
            launcher,
            interactive=interactive,
            on_relaunch=self.moved.append,
            restart_delays_seconds=(pause,),
        )

    async def until_over(self) -> JupyterExit | None:
        """How it ended; None when it looks after Jupyter still."""
        running = asyncio.ensure_future(self.supervision.run())
        over = asyncio.ensure_future(self.launcher.over.wait())
        await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if running.done():
            return running.result()
        running.cancel()
        return None


@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("end", [OUTSIDE, CRASH, UNKNOWN], ids=lambda end: end.cause.name)
async def test_started_again(
    end: JupyterExit, interactive: bool, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(Scripted([end, end]), interactive=interactive)
    assert await run.until_over() is None
    assert run.launcher.started == 2
    assert run.moved == [LAUNCHED, LAUNCHED]
    assert f"Jupyter ended: {end.reason}; starting it again in 0 s" in caplog.text
    assert (end.last_lines[-1] in caplog.text) is (end.cause is not ExitCause.OUTSIDE)


async def test_its_own_shut_down_ends_both_for_a_person() -> None:
    run = Run(Scripted([CRASH, MENU]), interactive=True)
    assert await run.until_over() is MENU
    assert run.launcher.started == 1


async def test_a_service_starts_it_after_its_own_shut_down_too() -> None:
    run = Run(Scripted([MENU]), interactive=False)
    assert await run.until_over() is None
    assert run.launcher.started == 1


async def test_a_start_that_fails_is_tried_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken, away = StartError("The port is taken."), StartError("The engine is away.")
    starts = [taken, taken, away, away, OSError(24, "Too many open files"), taken]
    run = Run(Scripted([CRASH], starts), interactive=True)
    assert await run.until_over() is None
    assert run.launcher.started == len(starts) + 1
    lines_logged = [
        record.getMessage() for record in caplog.records if "cannot be" in record.message
    ]
    assert [
        next(w for w in ("port", "engine", "open files") if w in line) for line in lines_logged
    ] == [*("port", "engine", "open files", "port")], "each change is logged once"


async def test_the_pauses_grow() -> None:
    launcher = Scripted([CRASH] * 3, [StartError("no")])
    supervision = Supervision(
        launcher,
        interactive=True,
        on_relaunch=lambda _: None,
        restart_delays_seconds=(0.0, 0.0, 0.0, 1e9),
    )
    running = asyncio.ensure_future(supervision.run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert launcher.started == 3, "the fourth waits for its pause"
    running.cancel()


@pytest.mark.parametrize(("end", "starts"), [(OUTSIDE, 5), (CRASH, 2)])
async def test_after_an_answer_an_end_from_outside_begins_with_the_first_pause(
    end: JupyterExit, starts: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "labgate.jupyter")
    async with serving(replying('{"version": "1"}')) as address:
        launcher = Answering([end] * 5, [replace(LAUNCHED, address=address)] * 5)
        supervision = Supervision(
            launcher,
            interactive=True,
            on_relaunch=lambda _: None,
            restart_delays_seconds=(0.0, 0.0, 1e9),
        )
        running = asyncio.ensure_future(supervision.run())
        while launcher.started < starts:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0)
        if end is OUTSIDE:
            await launcher.over.wait()
        running.cancel()
    lines_logged = [
        line.partition(",")[0].partition(":")[0]
        for line in caplog.messages
        if line.startswith("Jupyter")
    ]
    assert lines_logged[:5] == [
        *("Jupyter ended", "Jupyter is started again", "Jupyter answers again"),
        *("Jupyter ended", "Jupyter is started again"),
    ]
    assert launcher.started == starts


class Answering(Scripted):
    """Ends, from the second time on, when it has been found to answer."""

    async def wait_for_exit(self) -> JupyterExit:
        if self.started:
            answered = asyncio.Event()
            logger = logging.getLogger("labgate.jupyter")
            found = Found(answered)
            logger.addHandler(found)
            try:
                await answered.wait()
            finally:
                logger.removeHandler(found)
        return await super().wait_for_exit()


class Found(logging.Handler):
    """Waits for the line that says so."""

    def __init__(self, answered: asyncio.Event) -> None:
        super().__init__()
        self._answered = answered

    def emit(self, record: logging.LogRecord) -> None:
        if "answers again" in record.getMessage():
            self._answered.set()


async def test_ended_from_outside_before_its_first_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(replying('{"version": "1"}')) as address:
        answers = replace(LAUNCHED, address=address)
        run = Run(
            Scripted([OUTSIDE, OUTSIDE], [StartError("Not yet."), LAUNCHED, answers]),
            interactive=True,
        )
        assert await run.supervision.wait_for_first_answer(LAUNCHED, 60) is answers
        assert run.moved == [LAUNCHED, answers]
        assert run.launcher.started == 3
    assert caplog.text.count(f"Jupyter ended: {OUTSIDE.reason}; starting it again in 0 s") == 2


@pytest.mark.parametrize("end", [CRASH, MENU, UNKNOWN], ids=lambda end: end.cause.name)
async def test_an_end_of_its_own_before_its_first_answer(end: JupyterExit) -> None:
    run = Run(Scripted([end]), interactive=False)
    with pytest.raises(StartError, match=f"stopped while it was starting: {end.reason}"):
        await run.supervision.wait_for_first_answer(LAUNCHED, 60)
    assert run.launcher.started == 0


INTERACTIVE = [
    pytest.param({}, (True, True), True, id="a terminal"),
    pytest.param({}, (True, False), True, id="2>file"),
    pytest.param({}, (False, True), True, id="</dev/null"),
    pytest.param({}, (False, False), False, id="cron, nohup, a pipe"),
    pytest.param({"NOTIFY_SOCKET": "/run/x"}, (True, True), False, id="Type=notify"),
    pytest.param({"INVOCATION_ID": "6ad0"}, (True, True), True, id="a desktop's terminal"),
    pytest.param(
        {"SYSTEMD_EXEC_PID": str(os.getpid())}, (True, True), False, id="StandardInput=tty"
    ),
    pytest.param({"SYSTEMD_EXEC_PID": "1"}, (True, True), True, id="a desktop's shell"),
]


@pytest.mark.parametrize(("environment", "terminals", "expected"), INTERACTIVE)
def test_who_is_interactive(
    environment: dict[str, str], terminals: tuple[bool, bool], expected: bool
) -> None:
    assert is_interactive(environment, terminals, ["labgate", "up"]) is expected


def test_a_successor_runs_behind_the_terminal() -> None:
    assert not is_interactive({}, (False, True), ["labgate", "up", "--take-over"])

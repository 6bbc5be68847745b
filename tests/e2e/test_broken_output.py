"""Whatever stands behind standard output and standard error, labgate serves on and a stop stops."""

from __future__ import annotations

import http.client
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.conftest import require
from tests.e2e.programs import ROOT, START_SECONDS, STOP_SECONDS, Labgate, until

UPSTREAM = ("--upstream", "http://127.0.0.1:9", "--bind", "127.0.0.1")
LOGS = ("--show-headers", "--access-log")


@dataclass(slots=True)
class Place:
    """What labgate gets for its output, and how that breaks once it serves."""

    descriptor: int
    through: tuple[str, ...] = ()
    breaks: Callable[[], None] = lambda: None
    written: list[bytes] = field(default_factory=list)


def shell(line: str) -> tuple[str, ...]:
    """A command in front of the command."""
    return ("/bin/sh", "-c", f'{line} exec "$@"', "sh")


def fill(descriptor: int) -> None:
    """Until not one octet more fits."""
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(descriptor, b"." * size)
    os.set_blocking(descriptor, True)


@contextmanager
def head() -> Iterator[Place]:
    """``2>&1 | head -2``."""
    reading, writing = os.pipe()

    def breaks() -> None:
        with os.fdopen(reading, "rb", 0) as lines:
            place.written = [lines.readline(), lines.readline()]

    place = Place(writing, breaks=breaks)
    yield place
    os.close(writing)


@contextmanager
def gone() -> Iterator[Place]:
    """A pipe whose reader has ended before."""
    reading, writing = os.pipe()
    os.close(reading)
    yield Place(writing)
    os.close(writing)


@contextmanager
def full(reading: int, writing: int) -> Iterator[Place]:
    """``writing`` takes nothing more, because nobody reads from ``reading``."""
    fill(writing)
    yield Place(writing)
    os.close(reading)
    os.close(writing)


@contextmanager
def unread() -> Iterator[Place]:
    """A full pipe that is held open, and that nobody reads."""
    with full(*os.pipe()) as place:
        yield place


@contextmanager
def full_disk() -> Iterator[Place]:
    """No space left on device."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield Place(descriptor)
    os.close(descriptor)


@contextmanager
def closed() -> Iterator[Place]:
    """``<&- >&- 2>&-``."""
    yield Place(subprocess.DEVNULL, shell("exec <&- >&- 2>&-;"))


@contextmanager
def halted() -> Iterator[Place]:
    """A terminal that takes nothing more, as after Ctrl-S."""
    with full(*pty.openpty()) as place:
        yield place


@contextmanager
def hung_up() -> Iterator[Place]:
    """A terminal that goes away from a labgate that ignores SIGHUP (nohup)."""
    setsid = shutil.which("setsid")
    require(setsid, "no setsid", "apt-get install util-linux")
    outside, inside = pty.openpty()
    yield Place(
        inside,
        (str(setsid), "--ctty", *shell("exec </dev/tty; trap '' HUP;")),
        breaks=lambda: os.close(outside),
    )
    os.close(inside)


PLACES = (head, gone, unread, full_disk, closed, halted, hung_up)


def start(labgate: Labgate, place: Place) -> None:
    labgate.process = subprocess.Popen(
        [*place.through, *labgate.command()],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **labgate.environment},
        stdin=place.descriptor if "--ctty" in place.through else subprocess.DEVNULL,
        stdout=place.descriptor,
        stderr=place.descriptor,
        start_new_session="--ctty" not in place.through,
    )


def status(labgate: Labgate, target: str) -> int:
    """0 while nobody listens."""
    assert labgate.running.poll() is None, f"it ended with {labgate.running.returncode}"
    try:
        return labgate.ask("GET", target, Host="localhost:8443").status
    except (OSError, http.client.HTTPException):
        return 0


def serves_on_and_stops(
    labgate: Labgate, place: Place, number: signal.Signals, ready: str = "/.labgate/health"
) -> None:
    start(labgate, place)
    try:
        until(lambda: status(labgate, ready) == 200, "it does not serve")
        place.breaks()
        children = psutil.Process(labgate.pid).children()
        for _ in range(5):
            # Each writes a warning, what was done to every header, and a line of the access log.
            assert status(labgate, "/files/x") in (302, 403, 503)
        os.killpg(labgate.pid, number)
        assert labgate.running.wait(2 * STOP_SECONDS) == 0
        assert not any(child.is_running() for child in children)
    finally:
        labgate.kill()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("serve",), signal.SIGTERM),
        pytest.param(*(("serve", "--workers", "2"), signal.SIGTERM), marks=pytest.mark.deployment),
        (("up", "--launch", "none"), signal.SIGINT),
    ],
    ids=["serve", "workers", "up"],
)
def test_a_stop_stops(
    command: tuple[str, ...],
    number: signal.Signals,
    place: Callable[[], AbstractContextManager[Place]],
    tmp_path: Path,
) -> None:
    with place() as broken:
        labgate = Labgate(tmp_path, *command, *UPSTREAM, *LOGS, "--no-tls", tls=False)
        serves_on_and_stops(labgate, broken, number)


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
@pytest.mark.parametrize("place", [head, unread], ids=lambda place: place.__name__)
def test_jupyter_is_stopped_too(
    place: Callable[[], AbstractContextManager[Place]], tmp_path: Path
) -> None:
    command = ("up", "--launch", "process", "--folder", str(tmp_path), *LOGS)
    with place() as broken:
        labgate = Labgate(tmp_path, *command, "--no-tls", tls=False)
        serves_on_and_stops(labgate, broken, signal.SIGINT, "/.labgate/ready")


@pytest.mark.parametrize("place", [gone, unread, full_disk, closed], ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--https-port", "many"), 2),
        (("--upstream", "http://127.0.0.1:9", "--cert", "/none", "--key", "/none"), 1),
    ],
    ids=["usage", "impossible"],
)
def test_a_start_that_cannot_work_keeps_its_exit_code(
    arguments: tuple[str, ...],
    code: int,
    place: Callable[[], AbstractContextManager[Place]],
    tmp_path: Path,
) -> None:
    labgate = Labgate(tmp_path, "serve", *arguments, tls=False)
    with place() as broken:
        start(labgate, broken)
        try:
            assert labgate.running.wait(START_SECONDS) == code
        finally:
            labgate.kill()


def test_what_a_slow_reader_gets_is_whole(tmp_path: Path) -> None:
    """It reads nothing until labgate has ended, and then finds every line."""
    labgate = Labgate(tmp_path, "serve", *UPSTREAM, *LOGS, "--no-tls", tls=False)
    reading, writing = os.pipe()
    start(labgate, Place(writing))
    os.close(writing)
    try:
        until(lambda: status(labgate, "/.labgate/health") == 200, "it does not serve")
        for number in range(20):
            assert status(labgate, f"/{number}") == 503
        assert labgate.stop() == 0
        with os.fdopen(reading, encoding="utf-8") as pipe:
            written = pipe.read()
        assert " INFO ready: " in written
        assert "Stopping" in written
        assert all(written.count(f'"GET /{number}" 503') == 1 for number in range(20))
        assert all(written.count(f"GET /{number} from") == 1 for number in range(20))
    finally:
        labgate.kill()


def test_more_signals_do_not_change_the_exit_code(tmp_path: Path) -> None:
    """Also while the last lines wait for a reader, when the event loop is closed."""
    command = ("serve", *UPSTREAM, *LOGS, "--no-tls")
    with unread() as broken:
        labgate = Labgate(tmp_path, *command, tls=False)
        start(labgate, broken)
        try:
            until(lambda: status(labgate, "/.labgate/health") == 200, "it does not serve")

            def ended() -> bool:
                labgate.running.send_signal(signal.SIGTERM)
                return labgate.running.poll() is not None

            until(ended, "it does not end")
            assert labgate.running.returncode == 0
        finally:
            labgate.kill()


@pytest.mark.parametrize(
    ("place", "said"),
    [(gone, ""), (full_disk, "labgate: cannot write the output: No space left on device.\n")],
    ids=["closed pipe", "full disk"],
)
def test_a_command_that_prints_says_so_in_a_sentence(
    place: Callable[[], AbstractContextManager[Place]], said: str, tmp_path: Path
) -> None:
    """``labgate status | head`` is no fault."""
    labgate = Labgate(tmp_path, "serve", *UPSTREAM, "--no-tls", tls=False)
    with place() as broken:
        try:
            labgate.start()
            until(
                lambda: labgate.ask_by_command("status").returncode == 0,
                "no answer on the admin socket",
            )
            for command in (("status",), ("status", "--json"), ("check", "--no-tls")):
                ended = subprocess.run(
                    [sys.executable, "-m", "proxy", *command],
                    stdout=broken.descriptor,
                    stderr=subprocess.PIPE,
                    env={"PATH": os.environ["PATH"], **labgate.environment},
                    cwd=ROOT,
                    text=True,
                    timeout=START_SECONDS,
                    check=False,
                )
                assert (ended.returncode, ended.stderr) == (1, said), command
        finally:
            labgate.kill()

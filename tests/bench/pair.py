"""What a request or a connection costs this checkout beside another one.

``python -m tests.bench.pair FOLDER [CASE …]`` runs both at the same time and gives them the same
small batches in turn: what else the machine does then falls on both alike. The scheduler's own
count of nanoseconds is read (proc_pid_schedstat), of the process that serves. ``roundtrip`` is the
time that a client waits for a WebSocket message, by the clock. Run it more than once: on a busy
machine two runs of one case differ by up to 0.04.

``make bench ARGS="--also FOLDER"`` measures more, one after the other; it needs a quiet machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median

from tests.bench.certificates import make_certificate
from tests.bench.clients import Address, Client
from tests.bench.frames import client_frame, server_frame
from tests.bench.machine import LOAD_CORE, PROXY_CORE
from tests.bench.peers import REPOSITORY, Labgate
from tests.bench.request_profile import BROWSER
from tests.bench.running import Behind, Running, start, start_upstream

ROUNDS = 40
SOCKETS = 200
DOWNLOAD_BYTES = 2**28
SMALL_DOWNLOAD_BYTES = 2**20
MEMORY_ROUNDS = 9

Batch = Callable[[], int]
"""Makes some load; returns of how many requests or connections."""


class Cpu:
    """A case that costs CPU time.

    Args:
        batch: Opens what it needs, and gives what is repeated.
    """

    def __init__(self, batch: Callable[[Address, ExitStack], Batch]) -> None:
        self._batch = batch

    @contextmanager
    def opened(self, running: Running) -> Iterator[Callable[[], float]]:
        """What measures one batch."""
        with ExitStack() as stack:
            batch = self._batch(running.address, stack)
            batch()

            def measure() -> float:
                before = _nanoseconds(running)
                done = batch()
                return (_nanoseconds(running) - before) / done / 1e3

            yield measure


def _nanoseconds(running: Running) -> int:
    """CPU time so far of the thread that serves."""
    pid = running.program.processes()[0].pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def requests(make: Callable[[Address, int], bytes]) -> Cpu:
    """One request after the other over one connection."""

    def batch(address: Address, stack: ExitStack) -> Batch:
        client = stack.enter_context(Client(address))
        numbers = count()

        def run() -> int:
            for _ in range(250):
                client.socket.sendall(make(address, next(numbers)))
                client.answer()
            return 250

        return run

    return Cpu(batch)


def connections(address: Address, _: ExitStack) -> Batch:
    """TLS, one request, end."""

    def run() -> int:
        for _ in range(30):
            with Client(address) as client:
                client.small()
        return 30

    return run


def _browser(address: Address, number: int) -> bytes:
    """A request of Lab's, with one field that is another each time."""
    fields = BROWSER.replace(b"lab.example.org", address.host)
    return b"GET /small HTTP/1.1\r\n%bX-Request-Id: %d\r\n\r\n" % (fields, number)


def _post(address: Address, _: int) -> bytes:
    head = address.get(b"/sink").replace(b"GET", b"POST", 1)
    return head[:-2] + b"Content-Length: 5\r\n\r\nhello"


def messages(size: int, at_once: int) -> Cpu:
    """A WebSocket message of that size there, and a small one back."""

    def batch(address: Address, stack: ExitStack) -> Batch:
        message, answer = client_frame(size), len(server_frame(200))
        client = stack.enter_context(Client(address))
        client.websocket(b"/ws/echo/%d" % len(message))

        def run() -> int:
            for _ in range(at_once):
                client.socket.sendall(message)
                client.skip(answer)
            return at_once

        return run

    return Cpu(batch)


class RoundTrip:
    """The time until a small WebSocket message is back, as the client waits for it."""

    @contextmanager
    def opened(self, running: Running) -> Iterator[Callable[[], float]]:
        """What measures the median of a few hundred."""
        message, answer = client_frame(200), len(server_frame(200))
        with Client(running.address) as client:
            client.websocket(b"/ws/echo/%d" % len(message))

            def measure() -> float:
                times = []
                for _ in range(250):
                    before = time.perf_counter()
                    client.socket.sendall(message)
                    client.skip(answer)
                    times.append(time.perf_counter() - before)
                return median(times) * 1e6

            measure()
            yield measure


CASES: dict[str, Cpu | RoundTrip] = {
    "get": requests(lambda address, _: _browser(address, 0)),
    "varied": requests(_browser),
    "post": requests(_post),
    "tls": Cpu(connections),
    "message": messages(200, 250),
    "megabyte": messages(2**20, 10),
    "roundtrip": RoundTrip(),
}


def wait_until_started(running: Running) -> None:
    """What is imported after the first response must not count."""
    size = 0
    while size != (size := running.program.resident_bytes()):
        time.sleep(1)


def idle_websockets(running: Running) -> float:
    """KiB of resident memory of each idle WebSocket over TLS."""
    wait_until_started(running)
    with ExitStack() as stack:
        stack.enter_context(Client(running.address)).websocket(b"/ws/echo/208")
        before = running.program.resident_bytes()
        for _ in range(SOCKETS):
            stack.enter_context(Client(running.address)).websocket(b"/ws/echo/208")
        return (running.program.resident_bytes() - before) / SOCKETS / 2**10


def download(running: Running) -> float:
    """KiB by which the resident memory grows during a large download, at its peak.

    A small one comes before: what the first one alone takes, such as code, is not counted.
    """
    wait_until_started(running)
    _download(running, SMALL_DOWNLOAD_BYTES)
    running.program.forget_peaks()
    before = running.program.resident_bytes()
    _download(running, DOWNLOAD_BYTES)
    return (running.program.resident_bytes(peak=True) - before) / 2**10


def _download(running: Running, size: int) -> None:
    with Client(running.address) as client:
        client.socket.sendall(running.address.get(b"/bytes/%d" % size))
        client.answer()


MEMORY = {"idle": idle_websockets, "download": download}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pair")
    parser.add_argument("folder", type=Path, help="the other checkout")
    parser.add_argument("--inspect", action="store_true", help="this one with its inspector on")
    parser.add_argument("cases", nargs="*", help=f"of: {', '.join([*CASES, *MEMORY])}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    chosen = options.cases or [*CASES, *MEMORY]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        upstream, port = start_upstream(work, {LOAD_CORE})
        certificate = make_certificate(work)
        behind = Behind(upstream, port, certificate, work, frozenset({PROXY_CORE}))
        this = Labgate(REPOSITORY)
        pair = [
            Labgate(options.folder, "other", python=sys.executable),
            this.with_inspector() if options.inspect else this,
        ]
        try:
            for name in chosen:
                _print(name, *measured(name, pair, behind, options.rounds))
        finally:
            upstream.stop()


def measured(
    name: str, pair: list[Labgate], behind: Behind, rounds: int
) -> tuple[list[float], list[float]]:
    """The other checkout's figures and this one's, in pairs."""
    figures: tuple[list[float], list[float]] = ([], [])
    fresh = MEMORY_ROUNDS if name in MEMORY else 1
    for _ in range(fresh):
        with ExitStack() as stack:
            running = []
            for labgate in pair:
                running.append(start(labgate, behind))
                stack.callback(running[-1].program.stop)
            if name in MEMORY:
                for one, found in zip(running, figures, strict=True):
                    found.append(MEMORY[name](one))
                continue
            measures = [stack.enter_context(CASES[name].opened(one)) for one in running]
            for _ in range(rounds):
                for measure, found in zip(measures, figures, strict=True):
                    found.append(measure())
    return figures


def _print(name: str, other: list[float], this: list[float]) -> None:
    """The medians, and the median of the pairs' ratios."""
    unit = "KiB" if name in MEMORY else "µs"
    ratio = median(after / before for before, after in zip(other, this, strict=True))
    lowest = min(this) / min(other)
    print(
        f"{name:<10} other {median(other):8.1f} {unit}  this {median(this):8.1f} {unit}  "
        f"x {ratio:.3f} (of the lowest: {lowest:.3f})",
        flush=True,
    )


if __name__ == "__main__":
    main()

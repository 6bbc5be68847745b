"""A program with all its processes: started on given cores, weighed, ended by its id."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.bench.machine import on_cores

STOP_SECONDS = 10.0


def cpu_seconds_of(process: int) -> float:
    """A process's CPU time by its own clock (clock_getcpuclockid(3)).

    Other figures are in ticks of 10 ms, a tenth of what a page takes.
    """
    return time.clock_gettime((~process << 3) | 2)


class Program:
    """One running program; its output is in ``output``."""

    def __init__(
        self,
        command: Sequence[str],
        cores: set[int],
        output: Path,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.output = output
        with output.open("wb") as written, on_cores(cores):
            self._running = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(os.environ) | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._top = psutil.Process(self._running.pid)

    @property
    def ended(self) -> bool:
        return self._running.poll() is not None

    @property
    def log(self) -> str:
        """The last lines of its output."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-15:])

    def processes(self) -> list[psutil.Process]:
        """The program and every process under it."""
        return [self._top, *self._top.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far."""
        total = 0.0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess, OSError):
                total += cpu_seconds_of(process.pid)
                times = process.cpu_times()
                # Of children that are gone already.
                total += times.children_user + times.children_system
        return total

    def runnable(self) -> bool:
        """Whether one of its threads wants the CPU now: another may have it (proc_pid_stat(5))."""
        for process in self.processes():
            for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
                with suppress(OSError):
                    # After the name, which may hold spaces, in parentheses.
                    if stat.read_text().rpartition(") ")[2].startswith("R"):
                        return True
        return False

    def memory_bytes(self) -> int:
        """Proportional set size of all its processes: shared pages count once."""
        total = 0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        return total

    def forget_peaks(self) -> None:
        """Peaks count from now on (proc_pid_clear_refs(5), value 5)."""
        for process in self.processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def resident_bytes(self, *, peak: bool = False) -> int:
        """Resident size of all its processes, now or the sum of their peaks."""
        wanted = "VmHWM:" if peak else "VmRSS:"
        total = 0
        for process in self.processes():
            with suppress(OSError):
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith(wanted):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what does not listen; waits for the end."""
        children = self._top.children(recursive=True) if not self.ended else []
        self._running.terminate()
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for process in [*children, self._top]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._running.wait()


class Meter:
    """What a piece of load cost: wall time, and CPU on both sides.

    Use as ``with Meter(proxy, upstream) as meter: …``; the figures stand at the end.

    Attributes:
        seconds: Wall time.
        proxy_cpu_seconds: The proxy's CPU time.
        load_cpu_seconds: The CPU time of the upstream and of the load.
    """

    def __init__(self, proxy: Program, upstream: Program) -> None:
        self._proxy = proxy
        self._upstream = upstream
        self.seconds = self.proxy_cpu_seconds = self.load_cpu_seconds = 0.0

    def __enter__(self) -> Meter:
        self._from = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._read()
        self.seconds, self.proxy_cpu_seconds, self.load_cpu_seconds = (
            after - before for before, after in zip(self._from, now, strict=True)
        )

    def _read(self) -> tuple[float, float, float]:
        own = os.times()
        load = own.user + own.system + own.children_user + own.children_system
        return (
            time.perf_counter(),
            self._proxy.cpu_seconds(),
            load + self._upstream.cpu_seconds(),
        )

    @property
    def load_bound(self) -> bool:
        """Whether upstream and load needed more CPU than the proxy.

        Then they were what the clock measured: the proxy waited for them.
        """
        return self.load_cpu_seconds > self.proxy_cpu_seconds

"""Where this is measured: cores, versions, and how quiet it was."""

from __future__ import annotations

import os
import platform
import resource
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
"""What this run may use, as it was at the start."""

PROXY_CORE = CORES[0]
"""Every proxy runs on this core alone; upstream and load never do."""

LOAD_CORE = CORES[1] if len(CORES) > 1 else PROXY_CORE
"""Upstream and load: one core even where there are more, so that these change nothing."""

DISTURBED = 0.05
"""From this share of all cores on, what others use spoils the figures."""

LIBRARIES = ("aiohttp", "uvloop", "httptools", "aiofastnet")


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Processes started inside inherit these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """As many open files as this user may have; returns how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def described() -> list[str]:
    """The machine in a few lines."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    python = f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    found = [f"{name} {number}" for name in LIBRARIES if (number := _version(name))]
    return [
        f"{os.cpu_count()} cores, {_processor()}, {memory:.0f} GiB, Linux {platform.release()}",
        ", ".join([python, *found]),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


@dataclass(frozen=True)
class Quiet:
    """How much of the machine others took while this ran.

    Attributes:
        load_before: The one-minute load average when it began.
        load_after: The same at the end; this run itself makes up to 2 of it.
        others: Share of all cores that processes other than ours used, 0 to 1.
        stolen: Share that the hypervisor took away, 0 to 1.
    """

    load_before: float
    load_after: float
    others: float
    stolen: float

    def __str__(self) -> str:
        said = (
            f"load average {self.load_before:.2f} before and {self.load_after:.2f} after; other "
            f"processes used {self.others:.1%} of the cores, the hypervisor took {self.stolen:.1%}"
        )
        if self.others + self.stolen > DISTURBED:
            said += (
                ". THE MACHINE WAS NOT QUIET: rows by the clock mean little, and CPU times are "
                "too high for everybody; measure again"
            )
        return said


class Watch:
    """Compares what all processes used with what this one and its children did."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._since = time.monotonic()
        self._busy, self._stolen = _jiffies()
        self._ours = _our_seconds()

    def quiet(self) -> Quiet:
        """So far; every child must have been waited for."""
        capacity = (time.monotonic() - self._since) * (os.cpu_count() or 1)
        busy, stolen = _jiffies()
        ours = _our_seconds() - self._ours
        others = max(0.0, busy - self._busy - ours)
        return Quiet(
            self._load, os.getloadavg()[0], others / capacity, (stolen - self._stolen) / capacity
        )


def _jiffies() -> tuple[float, float]:
    """Seconds all cores were busy, and seconds the hypervisor had them (proc_stat(5))."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(f) / tick for f in fields[:8])
    return user + nice + system + irq + softirq, steal


def _our_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total

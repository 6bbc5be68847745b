"""A crowd of slow clients (slowhttptest): disconnected in time, and nobody else notices.

1,000 connections each time, and 4,000 in the tests marked slow; four slowhttptest at once,
each asked for 250 connections a second, which is more than two cores can give. They run at the
lowest priority, for they are other machines in truth. Nothing else should run meanwhile: so they
are marked load, and run by name.
Slow reading has no deadline: a slow download is ordinary, and costs a bounded buffer.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tests.conftest import require
from tests.e2e.origin import Origin
from tests.e2e.programs import Labgate, resident_memory, until

SLOWHTTPTEST = shutil.which("slowhttptest")

Mode = Literal["-H", "-B", "-X"]

PROCESSES = 4
CANARIES = 20
P99_SECONDS = {1000: 0.25, 4000: 0.1}
"""What labgate promises is 0.1 s beyond what the same requests take straight to the origin. CI
asks with 1,000, on a machine that may give part of its cores to others."""
SWEEP_SECONDS = 0.5
# What a busy machine may add to the time a canary sees.
SLACK_SECONDS = 2.0
READING_SECONDS = {1000: 10, 4000: 40}
LONGEST_SECONDS = 240
CALM_SECONDS = 30.0
MEGABYTE = 2**20
# What one slow download may hold: a read from Jupyter of up to 250 KiB, encrypted, in pieces of
# 64 KiB, and what the connection itself needs.
READER_BYTES = 384 * 1024
# Code that only a crowd makes run, and what malloc_trim(3) cannot give back; 3 to 7 were seen.
KEPT_BYTES = 12 * MEGABYTE


@dataclass(slots=True)
class Seen:
    """What was seen during one attack; times in seconds.

    Attributes:
        latencies: A legitimate client's, on one connection.
        arrivals: Those of one that connects anew for each request.
        noise: The same client's straight at the origin: what the machine does.
        canaries: How long each slow client of our own was borne.
    """

    latencies: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    canaries: list[float] = field(default_factory=list)
    descriptors: int = 0
    resident: int = 0


@pytest.mark.load
@pytest.mark.parametrize("mode", ["-H", "-B", "-X"])
@pytest.mark.parametrize("count", [1000, pytest.param(4000, marks=pytest.mark.slow)])
async def test_nobody_else_notices(tmp_path: Path, mode: Mode, count: int) -> None:
    require(SLOWHTTPTEST, "no slowhttptest", "apt-get install slowhttptest")
    # Longer than it takes to open them all, so that they are there at once.
    deadline = 8.0 if count <= 1000 else 40.0
    with Origin(tmp_path) as origin:
        labgate = Labgate(
            tmp_path,
            "serve",
            "--bind",
            "127.0.0.1",
            environment={
                # As the service and the image run it, so that memory is returned.
                "PYTHONMALLOC": "malloc",
                "LABGATE_UPSTREAM__URL": origin.address,
                "LABGATE_LOG__ACCESS": "false",
                "LABGATE_LIMITS__CONNECTIONS_PER_ADDRESS": str(count + 1000),
                "LABGATE_LIMITS__REQUESTS": str(count + 1000),
                "LABGATE_LIMITS__REQUESTS_PER_ADDRESS": str(count + 1000),
                "LABGATE_LIMITS__HEAD_SECONDS": str(deadline),
                "LABGATE_LIMITS__CONTENT_GRACE_SECONDS": str(deadline),
            },
        )
        with labgate:
            labgate.ask("GET", "/small")
            labgate.ask("GET", "/.labgate/health")  # aiohttp is loaded from here on
            before = descriptors(labgate.pid), resident_memory(labgate.pid)
            seen = Seen()
            async with legitimate(labgate, origin, seen):
                ends = await attack(labgate, mode, count, seen, deadline, tmp_path)
            calm = until_calm(labgate, before[0], before[1] + KEPT_BYTES)
            report(mode, count, seen, before, calm)
            assert "Traceback" not in labgate.log, labgate.log[-10_000:]
    if mode == "-X":
        assert seen.resident - before[1] <= count * READER_BYTES
    else:
        assert all("No open connections left" in end for end in ends), ends
        assert len(seen.canaries) == CANARIES
    assert seen.descriptors >= before[0] + count // 4, "they were never many at once"
    assert len(seen.latencies) > CANARIES, "who works is answered all the time"
    assert mode == "-X" or max(seen.canaries) <= deadline + SWEEP_SECONDS + SLACK_SECONDS
    assert p99(seen.latencies) <= P99_SECONDS[count] + p99(seen.noise)


async def attack(
    labgate: Labgate, mode: Mode, count: int, seen: Seen, deadline: float, folder: Path
) -> list[str]:
    """What each slowhttptest reported at its end."""
    # All four ends of a download are on this machine: much more each, and the kernel's memory
    # for TCP runs out, which makes everybody wait.
    target = {"-H": "/small", "-B": "/sink", "-X": "/bytes/400000"}[mode]
    command = ["nice", "-n", "19", str(SLOWHTTPTEST), mode, "-c", str(count // PROCESSES)]
    command += ["-r", "250", "-p", "3", "-u", labgate.origin + target]
    if mode == "-X":
        command += [
            "-l",
            str(READING_SECONDS[count]),
            "-w",
            "512",
            "-y",
            "1024",
            "-n",
            "2",
            "-z",
            "32",
        ]
    else:
        command += ["-l", str(LONGEST_SECONDS), "-i", "4"]
    processes = []
    outputs = [folder / f"slowhttptest.{number}" for number in range(PROCESSES)]
    for output in outputs:
        with output.open("wb") as written:
            processes.append(
                await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=written,
                    stderr=asyncio.subprocess.STDOUT,
                )
            )
    canaries = [] if mode == "-X" else [canary(labgate, mode, i) for i in range(CANARIES)]
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            seen.canaries += await asyncio.gather(*canaries)
            for process in processes:
                await process.wait()
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return [re.sub(r"\x1b\[[0-9;]*m", "", output.read_text())[-400:] for output in outputs]


async def canary(labgate: Labgate, mode: Mode, number: int) -> float:
    """A slow client of our own; for how long it is borne."""
    await asyncio.sleep(number * 0.1)
    reader, writer = await connect(labgate)
    since = time.monotonic()
    start = f"{'GET' if mode == '-H' else 'POST'} /sink HTTP/1.1\r\nHost: localhost\r\n"
    writer.write(start.replace("localhost", f"localhost:{labgate.https_port}").encode())
    if mode == "-B":
        writer.write(b"Content-Length: 4096\r\n\r\n")
    answer = asyncio.ensure_future(reader.readline())
    try:
        while not answer.done():
            writer.write(b"X-a: b\r\n" if mode == "-H" else b"x")
            await asyncio.wait({answer}, timeout=1)
        borne = time.monotonic() - since
        assert b" 408 " in answer.result()
        return borne
    finally:
        writer.transport.abort()


@asynccontextmanager
async def legitimate(labgate: Labgate, origin: Origin, seen: Seen) -> AsyncIterator[None]:
    """Somebody who works meanwhile, and the process watched."""
    fields = f"Host: localhost:{labgate.https_port}\r\n".encode()
    kept = await connect(labgate)
    straight = await asyncio.open_connection("127.0.0.1", origin.port)

    ended = asyncio.Event()

    async def ask_again(streams: Streams, times: list[float]) -> None:
        while not ended.is_set():
            times.append(await asked(streams, fields))
            await asyncio.sleep(0.02)

    async def arrive_again() -> None:
        while not ended.is_set():
            since = time.perf_counter()
            streams = await connect(labgate)
            await asked(streams, fields)
            seen.arrivals.append(time.perf_counter() - since)
            streams[1].transport.abort()
            await asyncio.sleep(0.1)

    async def watch() -> None:
        while not ended.is_set():
            seen.descriptors = max(seen.descriptors, descriptors(labgate.pid))
            seen.resident = max(seen.resident, resident_memory(labgate.pid))
            await asyncio.sleep(0.5)

    work = (
        ask_again(kept, seen.latencies),
        ask_again(straight, seen.noise),
        arrive_again(),
        watch(),
    )
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
        assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
    finally:
        ended.set()
        await asyncio.gather(*tasks)
        kept[1].transport.abort()
        straight[1].transport.abort()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(labgate: Labgate) -> Streams:
    context: ssl.SSLContext = labgate.trusting
    return await asyncio.open_connection("localhost", labgate.https_port, ssl=context)


async def asked(streams: Streams, fields: bytes) -> float:
    """One request; how long it took."""
    reader, writer = streams
    since = time.perf_counter()
    writer.write(b"GET /small HTTP/1.1\r\n" + fields + b"\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    await reader.readexactly(1024)
    return time.perf_counter() - since


def until_calm(labgate: Labgate, before: int, max_bytes: int) -> tuple[int, int]:
    """Descriptors and memory once everybody is gone."""
    # Connections to the upstream may be kept for the next request (upstream.idle_connections).
    until(
        lambda: descriptors(labgate.pid) <= before + 64,
        lambda: f"{descriptors(labgate.pid)} descriptors are open, before it were {before}",
        CALM_SECONDS,
    )
    # Memory is given back by a timer.
    until(
        lambda: resident_memory(labgate.pid) <= max_bytes,
        lambda: f"{resident_memory(labgate.pid)} bytes are kept, {max_bytes} may be",
        CALM_SECONDS,
    )
    return descriptors(labgate.pid), resident_memory(labgate.pid)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def report(
    mode: Mode, count: int, seen: Seen, before: tuple[int, int], calm: tuple[int, int]
) -> None:
    """The figures."""
    print(f"\nslowhttptest {mode}, {count} connections", file=sys.stderr)
    for name in ("latencies", "arrivals", "noise"):
        times = getattr(seen, name)
        middle, most = sorted(times)[len(times) // 2], max(times)
        shown = f"p50 {middle * 1e3:.1f} p99 {p99(times) * 1e3:.1f} max {most * 1e3:.1f} ms"
        print(f"  {name:10} {len(times):5} {shown}", file=sys.stderr)
    if seen.canaries:
        borne = f"{min(seen.canaries):.2f} to {max(seen.canaries):.2f} s"
        print(f"  canaries disconnected after {borne}", file=sys.stderr)
    print(f"  descriptors {before[0]}, {seen.descriptors}, {calm[0]}", file=sys.stderr)
    sizes = " ".join(f"{size / MEGABYTE:.0f}" for size in (before[1], seen.resident, calm[1]))
    print(f"  resident {sizes} MB", file=sys.stderr)

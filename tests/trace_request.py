"""Which files a warm GET crosses, and in how many calls: ``python -m tests.trace_request``.

A request that finds an idle connection to Jupyter, over plain HTTP and without an access log.
Counted is every call from code in one file to code in another of ``proxy/``. What the event loop
or a library calls is listed, too. A property is a call; what C code does is none.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import proxy
from proxy.app import Application
from proxy.config.settings import Settings
from tests.e2e.programs import free_port
from tests.upstreams import Visit, upstream

COLD, WARM = 2, 8
"""How many requests open the connections and fill the caches, and how many are traced then."""

PACKAGE = Path(proxy.__file__).parent
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\n{}"
)


class Trace:
    """The calls between files, in the order they were made.

    Attributes:
        calls: Caller and callee, each ``FILE`` relative to the package, the callee with the
            name of its function; the caller is empty where none of ours called.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call":
            return
        callee = _file(frame)
        if not callee:
            return
        caller = _file(frame.f_back) if frame.f_back is not None else ""
        if caller != callee:
            self.calls.append((caller, f"{callee}:{frame.f_code.co_name}"))

    @property
    def between(self) -> int:
        """How many calls go from one file of the package to another."""
        return sum(bool(caller) for caller, _ in self.calls)

    @property
    def files(self) -> list[str]:
        """Every file that was entered, in the order of the first call into it."""
        return list(dict.fromkeys(callee.partition(":")[0] for _, callee in self.calls))


async def warm_get() -> Trace:
    """Trace some GETs over the same connections; returns the shortest trace.

    In a longer one labgate has checked its timeouts beside the request.
    """

    async def answer(visit: Visit) -> None:
        while True:
            await visit.head()
            await visit.say(ANSWER)

    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False}
    settings = Settings.model_validate({"listen": listen})
    labgate = Application(settings, access_log=False, renew=False)
    await labgate.start()
    traces: list[Trace] = []
    async with upstream(answer) as jupyter:
        labgate.connect_to(jupyter.address)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        host = settings.origins[0].authority
        request = f"GET /api/kernels HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode()
        for number in range(COLD + WARM):
            trace = Trace()
            if number >= COLD:
                traces.append(trace)
                # What other tests left behind would be collected within the request.
                gc.collect()
                sys.setprofile(trace)
            writer.write(request)
            await reader.readuntil(b"{}")
            sys.setprofile(None)
        writer.close()
        await labgate.stop()
    return min(traces, key=lambda trace: len(trace.calls))


def _file(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else ""


def summary(trace: Trace) -> str:
    """How often each file was entered, and the sums."""
    entered = Counter(callee.partition(":")[0] for _, callee in trace.calls)
    lines = [f"{entered[file]:>4} {file}" for file in trace.files]
    return "\n".join([*lines, "", f"{trace.between} calls between {len(trace.files)} files"])


def main() -> None:
    """Print every call, then the sums."""
    trace = asyncio.run(warm_get())
    for caller, callee in trace.calls:
        print(f"{caller or '(event loop)':<32} -> {callee}")
    print()
    print(summary(trace))


if __name__ == "__main__":
    main()

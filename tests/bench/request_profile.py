"""Where the CPU time of one request goes: ``python -m tests.bench.request_profile [CASE]``.

The client's connection, the proxying and the connection to Jupyter in one process, on transports
that carry bytes without a kernel: the shortest time of many rounds moves by a few percent only.
Prints µs per request for each case, without and with the inspector, and with a case its functions
by their own time; those of the inspector, too, after ``--inspect``.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import pstats
import socket
import sys
from collections.abc import Callable
from itertools import count
from time import process_time_ns
from typing import Any, TypeVar, cast

from proxy.http1.server import Http1Server
from proxy.inspector.recorder import Recorder
from proxy.inspector.ring import Ring
from proxy.net.limits import DEFAULT_LIMITS, new_request_limit
from proxy.observe.record import Observers, Record
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.rules.site import WebOrigin, make_site

REQUESTS = 2000
ROUNDS = 15
BROWSER = (
    b"Host: lab.example.org\r\nConnection: keep-alive\r\nsec-ch-ua-platform: Linux\r\n"
    b"Authorization: token 0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    b"X-XSRFToken: 2|d3b07384|d3b07384d113edec49eaa6238ad5ff00|1700000000\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0\r\n"
    b"Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n"
    b"Sec-Fetch-Dest: empty\r\nReferer: https://lab.example.org/lab\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    b"Cookie: _xsrf=2|d3b07384|d3b07384d113edec49eaa6238ad5ff00|1700000000\r\n"
)
"""As Lab sends them with fetch."""
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: TornadoServer/6.5\r\nContent-Type: application/json\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n"
    b"Content-Security-Policy: frame-ancestors 'self'; default-src 'none'\r\n"
    b'Etag: "0123456789abcdef"\r\n'
    b"Content-Length: 2\r\n\r\n{}"
)
P = TypeVar("P", bound=asyncio.BaseProtocol)

CASES: dict[str, Callable[[int], bytes]] = {
    "get": lambda _: b"GET /api/kernels HTTP/1.1\r\n" + BROWSER + b"\r\n",
    "varied": lambda number: (
        b"GET /api/kernels HTTP/1.1\r\n" + BROWSER + b"X-Request-Id: %d\r\n\r\n" % number
    ),
    "post": lambda _: b"POST /api/kernels HTTP/1.1\r\n" + BROWSER + b"Content-Length: 2\r\n\r\n{}",
}


class Wire(asyncio.Transport):
    """A transport that hands what is written to a function."""

    def __init__(self, written: Callable[[bytes], None]) -> None:
        super().__init__()
        self._written = written
        self._socket, self._other = socket.socketpair()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._written(bytes(data))

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self._socket, "peername": ("127.0.0.1", 1)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def close(self) -> None:
        self._socket.close()
        self._other.close()

    abort = close


class Jupyter:
    """Responds at once to whatever is written (``proxying.pool.Upstream``)."""

    async def connect(self, factory: Callable[[], P], /) -> tuple[asyncio.BaseTransport, P]:
        protocol = factory()
        loop = asyncio.get_running_loop()
        receive = cast(asyncio.Protocol, protocol).data_received
        wire = Wire(lambda _: cast(None, loop.call_soon(receive, RESPONSE)))
        protocol.connection_made(wire)
        return wire, protocol


async def run(
    make: Callable[[int], bytes],
    profile: cProfile.Profile | None = None,
    *,
    rounds: int = ROUNDS,
    requests: int = REQUESTS,
    inspect: bool = False,
) -> float:
    """Return the shortest time of a round, in µs per request; with ``inspect`` it is captured."""
    records = 0

    def observe(_: Record) -> None:
        nonlocal records
        records += 1

    site = make_site((WebOrigin("https", "lab.example.org", 443),), WebOrigin("http", "::1", 8888))
    pool = Pool(Jupyter())
    limit = new_request_limit(DEFAULT_LIMITS)
    router = Router(site, pool, Pool(None), limit, limit)
    dispatcher = Dispatcher(router, Observers(end=(observe,)), access_log=True)
    if inspect:
        dispatcher.services.use_recorder(Recorder(Ring()))
    connection = Http1Server(dispatcher)()
    responded = asyncio.Event()
    client = Wire(lambda _: responded.set())
    connection.connection_made(client)
    # As proxy.runtime.memory has it.
    gc.set_threshold(5_000, 4, 1_000_000)
    numbers = count()
    best = float("inf")
    for _ in range(rounds):
        heads = [make(next(numbers)) for _ in range(requests)]
        if profile is not None:
            profile.enable()
        before = process_time_ns()
        for head in heads:
            connection.data_received(head)
            await responded.wait()
            responded.clear()
        best = min(best, (process_time_ns() - before) / requests / 1e3)
        if profile is not None:
            profile.disable()
    client.close()
    pool.close()
    assert records == rounds * requests
    return best


def main() -> None:
    """Measure every case, and profile one."""
    inspect = "--inspect" in sys.argv
    for name, make in CASES.items():
        off, on = (asyncio.run(run(make, inspect=one)) for one in (False, True))
        print(f"{name:<8} {off:6.2f} µs, {on:6.2f} µs while the inspector captures")
    for name in sys.argv[1:]:
        if name == "--inspect":
            continue
        profile = cProfile.Profile()
        asyncio.run(run(CASES[name], profile, inspect=inspect))
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()

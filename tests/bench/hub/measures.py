"""How a Hub's proxy is measured."""

from __future__ import annotations

import http.client
import os
import signal
import time
from contextlib import ExitStack, suppress
from statistics import median

from tests.bench import wrk
from tests.bench.clients import Client
from tests.bench.hub import figures
from tests.bench.hub.figures import ROUTES, SOCKETS
from tests.bench.hub.peers import HubLabgate, HubPeer, add_routes
from tests.bench.measures.measure import Measure, Outcome, Stage
from tests.bench.running import start
from tests.e2e.steady_load import SteadyLoad

CONNECTIONS = 32
WARM_SECONDS = 6.0
"""node compiles what it runs often in threads beside it: on a busy machine that takes its time, and
a request costs three times as much until then."""
ROUNDS = 3
"""In turns with one route and with all of them, so that a drift of the machine meets both."""
USER = ROUTES // 2
RESTART_REQUESTS = 200


def path_of(number: int) -> str:
    return f"/user/u{number}"


class ManyRoutes(Measure):
    """Requests, calls of the API, and memory, of one route and of ten thousand."""

    name = "hub"
    figures = (
        figures.CPU_ONE,
        figures.CPU_MANY,
        figures.GROWTH,
        figures.ADDING,
        figures.ADDING_CPU,
        figures.CLOSING,
        figures.CLOSING_CPU,
        figures.MEMORY,
    )
    fresh = True

    def run(self, stage: Stage) -> Outcome:
        target = f"http://127.0.0.1:{stage.behind.upstream_port}"
        peer = _peer(stage)
        add_routes(peer.api_port, [path_of(USER)], target)
        self._cpu(stage, WARM_SECONDS)
        one = [self._cpu(stage, stage.scale.seconds) for _ in range(ROUNDS)]
        others = [path_of(number) for number in range(ROUTES) if number != USER]
        with stage.meter() as meter:
            add_routes(peer.api_port, others, target)
        many = [self._cpu(stage, stage.scale.seconds) for _ in range(ROUNDS)]
        with ExitStack() as opened:
            for number in range(SOCKETS):
                client = opened.enter_context(Client(stage.address))
                client.websocket(path_of(number).encode() + b"/ws/echo/208")
            memory = stage.program.memory_bytes()
        more = [f"/more{path_of(number)}" for number in range(ROUTES)]
        with stage.meter() as closing:
            add_routes(peer.api_port, more, target, keep=False)
        found = {
            figures.CPU_ONE.name: median(one),
            figures.CPU_MANY.name: median(many),
            figures.GROWTH.name: median(many) / median(one),
            figures.ADDING.name: meter.seconds,
            figures.ADDING_CPU.name: meter.proxy_cpu_seconds,
            figures.CLOSING.name: closing.seconds,
            figures.CLOSING_CPU.name: closing.proxy_cpu_seconds,
            figures.MEMORY.name: memory / 2**20,
        }
        return Outcome(found)

    def _cpu(self, stage: Stage, seconds: float) -> float:
        with stage.meter() as meter:
            answers = wrk.requests(stage.address, CONNECTIONS, seconds, f"{path_of(USER)}/small")
        return meter.proxy_cpu_seconds / answers * 1e6


class Restart(Measure):
    """Requests over kept and new connections while the proxy is replaced.

    labgate by ``labgate upgrade``; configurable-http-proxy is stopped and started again.
    """

    name = "restart"
    figures = (figures.RESTART, figures.ANSWERED)
    fresh = True

    def run(self, stage: Stage) -> Outcome:
        target = f"http://127.0.0.1:{stage.behind.upstream_port}"
        peer, address = _peer(stage), stage.address
        add_routes(peer.api_port, [path_of(USER)], target)

        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPSConnection("localhost", address.port, context=address.tls)

        with ExitStack() as stack:
            with SteadyLoad(connect, f"{path_of(USER)}/small") as load:
                load.wait_for(RESTART_REQUESTS)
                if isinstance(peer, HubLabgate):
                    pid = peer.upgrade(stage.program.output.parent, os.environ)
                    stack.callback(_end, pid)
                else:
                    stage.program.stop()
                    again = start(peer, stage.behind, address.port)
                    stack.callback(again.program.stop)
                    add_routes(peer.api_port, [path_of(USER)], target)
                load.wait_for(RESTART_REQUESTS)
            found = {
                figures.RESTART.name: float(len(load.lost)),
                figures.ANSWERED.name: float(load.answered),
            }
        return Outcome(found)


def _peer(stage: Stage) -> HubPeer:
    peer = stage.running.peer
    assert isinstance(peer, HubPeer)
    return peer


def _end(pid: int) -> None:
    """End a process that is nobody's child."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while True:
            os.kill(pid, 0)
            time.sleep(0.05)

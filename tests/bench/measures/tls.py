"""How many new visitors a second are let in."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor

from tests.bench.clients import Client
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.measures.messages import cpu_of
from tests.bench.process import Meter

AT_ONCE = 8

FULL = Figure("new TLS connections, full", "/s", more_is_better=True, by_the_clock=True)
RESUMED = Figure("new TLS connections, resumed", "/s", more_is_better=True, by_the_clock=True)
FULL_CPU = Figure("new TLS connections, full, per CPU second", "", more_is_better=True)
RESUMED_CPU = Figure("new TLS connections, resumed, per CPU second", "", more_is_better=True)
SHARE = Figure("sessions resumed of those offered", "%", more_is_better=True)


class NewTlsConnections(Measure):
    """Handshake, one request for 1 KiB, end; eight clients at once."""

    name = "tls-connections"
    figures = (FULL, RESUMED, FULL_CPU, RESUMED_CPU, SHARE)

    def warm(self, stage: Stage) -> None:
        self._connect(stage, 50, None)

    def run(self, stage: Stage) -> Outcome:
        count = stage.scale.tls_connections
        full, _ = self._connect(stage, count, None)
        with Client(stage.address) as client:
            client.small()  # The ticket comes with the first answer (RFC 8446 section 4.6.1).
            session = client.socket.session
        again, resumed = self._connect(stage, count, session)
        figures = {
            FULL.name: count / full.seconds,
            RESUMED.name: count / again.seconds,
            FULL_CPU.name: count / cpu_of(full),
            RESUMED_CPU.name: count / cpu_of(again),
            SHARE.name: 100 * resumed / count,
        }
        return Outcome(figures, full.load_bound or again.load_bound)

    def _connect(
        self, stage: Stage, count: int, session: ssl.SSLSession | None
    ) -> tuple[Meter, int]:
        """Returns what it took, and how many were resumed."""

        def visit(_: int) -> bool:
            with Client(stage.address, session) as client:
                client.small()
                return bool(client.socket.session_reused)

        with ThreadPoolExecutor(AT_ONCE) as visitors, stage.meter() as meter:
            resumed = sum(visitors.map(visit, range(count)))
        return meter, resumed

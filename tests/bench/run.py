"""One run: every measure, its peers interleaved over the repetitions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.certificates import make_certificate
from tests.bench.machine import LOAD_CORE, PROXY_CORE, on_cores, raise_descriptor_limit
from tests.bench.measures import Measure, Scale, Stage
from tests.bench.peers import Peer
from tests.bench.running import Behind, NotStartedError, Running, start, start_upstream
from tests.bench.samples import Samples
from tests.bench.wrk import LoadError

Tell = Callable[[str], None]

# Also what a peer that falls over looks like to a client.
Failures = (NotStartedError, LoadError, OSError, TimeoutError, AssertionError, ExceptionGroup)


def run(measures: Sequence[Measure], peers: Sequence[Peer], scale: Scale, tell: Tell) -> Samples:
    """Measure everything; a peer that fails is left out of that measure and remarked on."""
    raise_descriptor_limit()
    samples = Samples([peer.name for peer in peers])
    with _behind() as behind, on_cores({LOAD_CORE}):
        for measure in measures:
            tell(measure.name)
            _Interleaved(measure, peers, scale, behind, samples).run()
    return samples


@contextmanager
def _behind() -> Iterator[Behind]:
    with tempfile.TemporaryDirectory(prefix="labgate-bench-") as folder:
        work = Path(folder)
        upstream, port = start_upstream(work, {LOAD_CORE})
        try:
            certificate = make_certificate(work)
            yield Behind(upstream, port, certificate, work, frozenset({PROXY_CORE}))
        finally:
            upstream.stop()


class _Interleaved:
    """One measure: A B C, B C A, C A B, so that a drift of the machine meets all alike."""

    def __init__(
        self,
        measure: Measure,
        peers: Sequence[Peer],
        scale: Scale,
        behind: Behind,
        samples: Samples,
    ) -> None:
        self._measure = measure
        self._scale = scale
        self._behind = behind
        self._samples = samples
        self._running: dict[str, Running] = {}
        self._peers: list[Peer] = []
        for peer in peers:
            reason = measure.unfit(peer)
            if not reason:
                self._peers.append(peer)
            elif peer.name.startswith("labgate"):
                samples.remarks.append(f"{measure.name}: {peer.name} skipped, {reason}")

    def run(self) -> None:
        repetitions = min(self._scale.repetitions, self._measure.max_repetitions)
        try:
            for repetition in range(repetitions):
                turn = repetition % max(1, len(self._peers))
                for peer in [*self._peers[turn:], *self._peers[:turn]]:
                    self._once(peer)
        finally:
            for running in self._running.values():
                running.program.stop()

    def _once(self, peer: Peer) -> None:
        try:
            running = self._running.get(peer.name) or self._start(peer)
            outcome = self._measure.run(Stage(running, self._behind, self._scale))
        except Failures as failure:
            said = str(failure).strip() or type(failure).__name__
            self._samples.remarks.append(f"{self._measure.name}: {peer.name} failed: {said}")
            self._peers = [other for other in self._peers if other is not peer]
            self._stop(peer)
            return
        self._samples.add(self._measure, peer.name, outcome)
        if self._measure.fresh:
            self._stop(peer)

    def _start(self, peer: Peer) -> Running:
        running = start(peer, self._behind)
        self._running[peer.name] = running
        self._measure.warm(Stage(running, self._behind, self._scale))
        return running

    def _stop(self, peer: Peer) -> None:
        running = self._running.pop(peer.name, None)
        if running is not None:
            running.program.stop()

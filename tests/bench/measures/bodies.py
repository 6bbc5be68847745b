"""Large files down and up, and what they do to a proxy's memory."""

from __future__ import annotations

from abc import abstractmethod

from tests.bench.clients import Client
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.measures.messages import cpu_of

PIECE = b"x" * 2**20


class Body(Measure):
    """One large body over one connection of its own.

    Attributes:
        direction: As it is shown.
        throughput: By the clock.
        per_cpu: What a core that does nothing else could carry.
        growth: Of the resident size, from before the body to its peak.
    """

    fresh = True
    max_repetitions = 3
    direction: str
    throughput: Figure
    per_cpu: Figure
    growth: Figure

    def __init__(self) -> None:
        name = f"{self.direction} of a large body"
        self.name = self.direction
        self.throughput = Figure(name, "MiB/s", more_is_better=True, by_the_clock=True)
        self.per_cpu = Figure(f"{name}, per CPU second", "MiB", more_is_better=True)
        self.growth = Figure(f"{name}, peak memory growth", "MiB")
        self.figures = (self.throughput, self.per_cpu, self.growth)

    def warm(self, stage: Stage) -> None:
        with Client(stage.address) as client:
            for _ in range(50):
                client.small()

    def run(self, stage: Stage) -> Outcome:
        program = stage.program
        program.forget_peaks()
        before = program.resident_bytes()
        with Client(stage.address) as client, stage.meter() as meter:
            self.move(client, stage)
        growth = program.resident_bytes(peak=True) - before
        moved = stage.scale.body_bytes / 2**20
        figures = {
            self.throughput.name: moved / meter.seconds,
            self.per_cpu.name: moved / cpu_of(meter),
            self.growth.name: growth / 2**20,
        }
        return Outcome(figures, meter.load_bound)

    @abstractmethod
    def move(self, client: Client, stage: Stage) -> None:
        """The whole body."""


class Download(Body):
    """From the upstream to the client."""

    direction = "download"

    def move(self, client: Client, stage: Stage) -> None:
        client.socket.sendall(stage.address.get(b"/bytes/%d" % stage.scale.body_bytes))
        assert client.answer() == stage.scale.body_bytes


class Upload(Body):
    """From the client to the upstream."""

    direction = "upload"

    def move(self, client: Client, stage: Stage) -> None:
        size = stage.scale.body_bytes
        client.socket.sendall(
            b"PUT /sink HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n"
            % (stage.address.host, size)
        )
        for _ in range(size // len(PIECE)):
            client.socket.sendall(PIECE)
        client.socket.sendall(PIECE[: size % len(PIECE)])
        client.answer()

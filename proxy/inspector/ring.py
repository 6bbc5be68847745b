"""The latest exchanges, bounded in number and in octets."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from secrets import token_hex

from proxy.inspector.exchange import Exchange
from proxy.inspector.snapshot import HEADS, NUMBER, Snapshot, SnapshotValues

MAX_EXCHANGES = 5000
MAX_OCTETS = 64 * 1024 * 1024
WORKER_RING_OCTETS = 4 * 1024 * 1024
"""In a worker, whose supervisor holds them."""

ExchangeListener = Callable[[Exchange], None]


class Ring:
    """Keeps exchanges until newer ones need their room.

    Attributes:
        run: Tells its numbers from those of another ring, before labgate was started again.

    Args:
        max_exchanges: How many are kept.
        max_octets: About how much memory they may take.
        relays: Whether a listener keeps exchanges that were dropped here: it is told of their
            changes, too.
    """

    def __init__(
        self,
        max_exchanges: int = MAX_EXCHANGES,
        max_octets: int = MAX_OCTETS,
        *,
        relays: bool = False,
    ) -> None:
        self.run = token_hex(3)
        self._max_exchanges, self._max_octets = max_exchanges, max_octets
        self._relays = relays
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        """By their numbers; the first are discarded first."""
        self._weights: dict[int, int] = {}
        """The octets of each as they were counted; an exchange may grow."""
        self._snapshots: deque[SnapshotValues] = deque()
        """What ended well, and nobody has looked at yet."""
        self._octets = 0
        self._last = self._dropped = 0
        self._listeners: list[ExchangeListener] = []
        self._failure_listeners: list[ExchangeListener] = []

    def __len__(self) -> int:
        return len(self._exchanges) + len(self._snapshots)

    def __iter__(self) -> Iterator[Exchange]:
        while self._snapshots:
            self._look_at(self._snapshots.popleft())
        self._exchanges = OrderedDict(sorted(self._exchanges.items()))
        yield from tuple(self._exchanges.values())

    @property
    def octets(self) -> int:
        """About what the exchanges take."""
        return self._octets

    @property
    def last_number(self) -> int:
        """The number of the newest exchange; 0 before the first."""
        return self._last

    @property
    def dropped(self) -> int:
        """How many exchanges were discarded."""
        return self._dropped

    def reserve(self) -> int:
        """A number for an exchange that begins now and is added later."""
        self._last += 1
        return self._last

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange, and give it its number unless it has one that was reserved."""
        if not exchange.number:
            exchange.number = self.reserve()
        self._insert(exchange, exchange.octets)
        self._octets += exchange.octets
        self._make_room()
        self._notify(exchange)

    def keep(self, snapshot: SnapshotValues) -> None:
        """Keep an exchange that ended well, with the number that was reserved for it.

        It becomes an ``Exchange`` when somebody looks.
        """
        exchanges, snapshots = self._exchanges, self._snapshots
        self._octets += snapshot[HEADS].octets
        if self._listeners:
            exchange = self._look_at(snapshot)
            for listener in tuple(self._listeners):
                listener(exchange)
        else:
            snapshots.append(snapshot)
        if exchanges or self._octets > self._max_octets:
            self._make_room()
        elif len(snapshots) > self._max_exchanges:
            # What _make_room does, without its loop: each request pays for it.
            self._octets -= snapshots.popleft()[HEADS].octets
            self._dropped += 1

    def update(self, exchange: Exchange) -> None:
        """Weigh an exchange that has changed, and tell the listeners."""
        if exchange.number in self._exchanges:
            self._weigh(exchange, exchange.octets - self._weights[exchange.number])
        elif self._relays:
            self._notify(exchange)

    def replace(self, exchange: Exchange) -> None:
        """Put a newer state of an exchange in the place of the older one."""
        if exchange.number in self._exchanges:
            self._exchanges[exchange.number] = exchange
            self.update(exchange)

    def grow(self, exchange: Exchange, octets: int) -> None:
        """Count what an exchange got more; ``update`` would weigh all of it."""
        if exchange.number in self._exchanges:
            self._weigh(exchange, octets)
        elif self._relays:
            self._notify(exchange)

    def _weigh(self, exchange: Exchange, more: int) -> None:
        self._octets += more
        self._weights[exchange.number] += more
        self._make_room()
        self._notify(exchange)

    def _make_room(self) -> None:
        exchanges, snapshots = self._exchanges, self._snapshots
        count = len(exchanges) + len(snapshots)
        while count > self._max_exchanges or (self._octets > self._max_octets and count > 1):
            if snapshots and not (exchanges and next(iter(exchanges)) < snapshots[0][NUMBER]):
                self._octets -= snapshots.popleft()[HEADS].octets
            else:
                number, _ = exchanges.popitem(last=False)
                self._octets -= self._weights.pop(number)
            self._dropped += 1
            count -= 1

    def _notify(self, exchange: Exchange) -> None:
        for listener in (*self._listeners, *self._failure_listeners):
            listener(exchange)

    def _insert(self, exchange: Exchange, octets: int) -> None:
        self._exchanges[exchange.number] = exchange
        self._weights[exchange.number] = octets

    def _look_at(self, snapshot: SnapshotValues) -> Exchange:
        """Make an exchange of a snapshot that is counted already."""
        exchange = Snapshot(*snapshot).exchange()
        self._insert(exchange, snapshot[HEADS].octets)
        return exchange

    def get(self, number: int) -> Exchange | None:
        """The exchange of this number, unless it had to go."""
        for snapshot in self._snapshots:
            if snapshot[NUMBER] == number:
                self._snapshots.remove(snapshot)
                return self._look_at(snapshot)
        return self._exchanges.get(number)

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self._dropped += len(self)
        self._exchanges.clear()
        self._weights.clear()
        self._snapshots.clear()
        self._octets = 0

    def listen(self, listener: ExchangeListener, *, failures: bool = False) -> Callable[[], None]:
        """Call ``listener`` with every exchange that is added or changes; returns the end of it.

        Args:
            listener: Is called.
            failures: It looks for failures only: it need not hear of what is kept because it
                ended well, and so costs it nothing.
        """
        listeners = self._failure_listeners if failures else self._listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

"""The latest exchanges, bounded in number and in octets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import attrgetter
from secrets import token_hex

from proxy.inspector.exchange import Exchange
from proxy.inspector.snapshot import Snapshot

MAX_EXCHANGES = 5000
MAX_OCTETS = 64 * 1024 * 1024
MAX_WAITING = 4
"""Exchanges that ended well, and are not counted yet.

In a full ring as many old ones go at once, and malloc(3) keeps only seven free pieces of each size
at hand: what goes beyond them is slower to free, and to get again.
"""

Listener = Callable[[Exchange], None]


class Ring:
    """Keeps exchanges until newer ones need their room.

    Attributes:
        run: Tells its numbers from those of another ring, before labgate was started again.

    Args:
        max_exchanges: How many are kept.
        max_octets: About how much memory they may take.
    """

    def __init__(self, max_exchanges: int = MAX_EXCHANGES, max_octets: int = MAX_OCTETS) -> None:
        self.run = token_hex(3)
        self._max_exchanges, self._max_octets = max_exchanges, max_octets
        self._exchanges: OrderedDict[int, Exchange | Snapshot] = OrderedDict()
        self._weights: dict[int, int] = {}
        """Of those that may change."""
        self._octets = 0
        self._ended_well: list[Snapshot] = []
        self._last = self._dropped = 0
        self._listeners: list[Listener] = []
        self._failure_listeners: list[Listener] = []

    def __len__(self) -> int:
        self._take_in()
        return len(self._exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        self._take_in()
        for kept in sorted(self._exchanges.values(), key=attrgetter("number")):
            yield self._whole(kept)

    @property
    def octets(self) -> int:
        """About what the exchanges take."""
        self._take_in()
        return self._octets

    @property
    def last_number(self) -> int:
        """The number of the newest exchange; 0 before the first."""
        return self._last

    @property
    def dropped(self) -> int:
        """How many had to go."""
        self._take_in()
        return self._dropped

    def reserve(self) -> int:
        """A number for an exchange that begins now and is added later."""
        self._last += 1
        return self._last

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange, and give it its number unless it has one that was reserved."""
        self._take_in()
        number = exchange.number
        if not number:
            number = exchange.number = self.reserve()
        self._exchanges[number] = exchange
        self._weights[number] = octets = exchange.octets
        self._octets += octets
        self._make_room()
        self._tell(exchange)

    def keep(self, snapshot: Snapshot) -> None:
        """Keep an exchange that ended well, with the number that was reserved for it.

        It becomes an ``Exchange`` when somebody looks.
        """
        self._ended_well.append(snapshot)
        if self._listeners:
            self._take_in()
            exchange = self._whole(snapshot)
            for listener in tuple(self._listeners):
                listener(exchange)
        elif len(self._ended_well) == MAX_WAITING:
            self._take_in()

    def _take_in(self) -> None:
        """Count what has ended well: for many at once it is cheaper than for each."""
        waiting, self._ended_well = self._ended_well, []
        for snapshot in waiting:
            self._exchanges[snapshot.number] = snapshot
            self._octets += snapshot.octets
        if waiting:
            self._make_room()

    def update(self, exchange: Exchange) -> None:
        """Weigh an exchange that has changed, and tell the listeners."""
        if exchange.number not in self._exchanges:
            return
        self._weigh(exchange, exchange.octets - self._weights[exchange.number])

    def replace(self, exchange: Exchange) -> None:
        """Put a newer state of an exchange in the place of the older one."""
        if exchange.number in self._exchanges:
            self._exchanges[exchange.number] = exchange
            self.update(exchange)

    def grow(self, exchange: Exchange, octets: int) -> None:
        """Count what an exchange got more; ``update`` would weigh all of it."""
        if exchange.number in self._exchanges:
            self._weigh(exchange, octets)

    def _weigh(self, exchange: Exchange, more: int) -> None:
        self._octets += more
        self._weights[exchange.number] += more
        self._make_room()
        self._tell(exchange)

    def _make_room(self) -> None:
        exchanges = self._exchanges
        while len(exchanges) > 1 and (
            len(exchanges) > self._max_exchanges or self._octets > self._max_octets
        ):
            number, oldest = exchanges.popitem(last=False)
            # Of a snapshot that nobody has looked at, its own.
            self._octets -= self._weights.pop(number, 0) or oldest.octets
            self._dropped += 1

    def _tell(self, exchange: Exchange) -> None:
        for listener in (*self._listeners, *self._failure_listeners):
            listener(exchange)

    def _whole(self, kept: Exchange | Snapshot) -> Exchange:
        if isinstance(kept, Exchange):
            return kept
        number, exchange = kept.number, kept.exchange()
        if self._exchanges.get(number) is not kept:
            # It had to go, or somebody else has looked at it meanwhile.
            return exchange
        self._exchanges[number] = exchange
        self._weights[number] = kept.octets
        return exchange

    def get(self, number: int) -> Exchange | None:
        """The exchange of this number, unless it had to go."""
        self._take_in()
        kept = self._exchanges.get(number)
        return None if kept is None else self._whole(kept)

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self._take_in()
        self._dropped += len(self._exchanges)
        self._exchanges.clear()
        self._weights.clear()
        self._octets = 0

    def listen(self, listener: Listener, *, failures: bool = False) -> Callable[[], None]:
        """Call ``listener`` with every exchange that is added or changes; returns the end of it.

        Args:
            listener: Is called.
            failures: It looks for failures only: it need not hear of what is kept because it
                ended well, and so costs it nothing.
        """
        listeners = self._failure_listeners if failures else self._listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

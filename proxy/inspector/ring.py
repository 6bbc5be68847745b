"""The latest exchanges, bounded in number and in octets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import attrgetter
from secrets import token_hex

from proxy.inspector.exchange import Exchange

MAX_EXCHANGES = 5000
MAX_OCTETS = 64 * 1024 * 1024

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
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._weights: dict[int, int] = {}
        self._octets = 0
        self._last = self._dropped = 0
        self._listeners: list[Listener] = []

    def __len__(self) -> int:
        return len(self._exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(sorted(self._exchanges.values(), key=attrgetter("number")))

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
        """How many had to go."""
        return self._dropped

    def reserve(self) -> int:
        """A number for an exchange that begins now and is added later."""
        self._last += 1
        return self._last

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange, and give it its number unless it has one that was reserved."""
        number = exchange.number
        if not number:
            number = exchange.number = self.reserve()
        self._exchanges[number] = exchange
        weight = self._weights[number] = exchange.octets
        self._octets += weight
        self._changed(exchange)

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
        self._changed(exchange)

    def _changed(self, exchange: Exchange) -> None:
        """Make room, and tell the listeners."""
        exchanges = self._exchanges
        while len(exchanges) > 1 and (
            len(exchanges) > self._max_exchanges or self._octets > self._max_octets
        ):
            number, _ = exchanges.popitem(last=False)
            self._octets -= self._weights.pop(number)
            self._dropped += 1
        if self._listeners:
            for listener in tuple(self._listeners):
                listener(exchange)

    def get(self, number: int) -> Exchange | None:
        """The exchange of this number, unless it had to go."""
        return self._exchanges.get(number)

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self._dropped += len(self._exchanges)
        self._exchanges.clear()
        self._weights.clear()
        self._octets = 0

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every exchange that is added or changes; returns the end of it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

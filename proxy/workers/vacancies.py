"""Has the other workers accept on the sockets of one that is away: killed, or told to end.

The kernel goes on to give that worker's sockets their part of the connections (``sockets``). They
would wait until its successor serves, for more than a second, and for ever where none can start.
The others keep their shares of the limits (``limits``), which are enough for what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.net.ports import Ports

from .channel import WorkerMessage


class Vacancies:
    """Which workers are away, and what all others are told of it.

    Args:
        ports: Those of every worker.
        broadcast: Sends a message to all workers.
    """

    def __init__(
        self, ports: Callable[[], Sequence[Ports]], broadcast: Callable[[WorkerMessage], None]
    ) -> None:
        self._ports = ports
        self._broadcast = broadcast
        self._away: set[int] = set()

    def others(self, index: int) -> Ports:
        """What the others have, without what all share; the worker at this index inherits it."""
        own = set(self._ports()[index].sockets)
        return Ports(
            [one for ports in self._ports() for one in ports.main if one not in own],
            [one for ports in self._ports() for one in ports.plain if one not in own],
        )

    def begin(self, index: int) -> None:
        """The worker at this index accepts nothing any more."""
        self._away.add(index)
        self._tell()

    def end(self, index: int) -> None:
        """Its successor accepts."""
        self._away.discard(index)
        self._tell()

    def _tell(self) -> None:
        away = [self._ports()[index] for index in sorted(self._away)]
        self._broadcast({"vacant": [one.fileno() for ports in away for one in ports.sockets]})

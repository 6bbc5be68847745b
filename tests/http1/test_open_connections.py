"""The connections of a server end together, and nobody waits for one that does not."""

from __future__ import annotations

import asyncio

from proxy.http1.open_connections import OpenConnections


class Connection:
    """Closes after so many turns of the event loop, or never."""

    def __init__(self, connections: OpenConnections[Connection], turns: int | None) -> None:
        self._connections, self._turns = connections, turns
        self.ended = False
        connections.add(self)

    def end(self) -> None:
        self.ended = True
        if self._turns is not None:
            self._after(self._turns)

    def _after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._after, turns - 1)
        else:
            self._connections.lost(self)


async def test_all_of_them_end_and_are_waited_for() -> None:
    connections = OpenConnections[Connection]()
    all_of_them = [Connection(connections, turns) for turns in (1, 5, 9)]
    async with asyncio.timeout(10):
        await connections.end(3600)
    assert not connections
    assert all(connection.ended for connection in all_of_them)


async def test_one_that_does_not_close_is_left_after_the_timeout() -> None:
    connections = OpenConnections[Connection]()
    stuck = Connection(connections, None)
    Connection(connections, 1)
    async with asyncio.timeout(10):
        await connections.end(0)
    assert stuck in connections


async def test_without_any_it_returns_at_once() -> None:
    await OpenConnections[Connection]().end(3600)

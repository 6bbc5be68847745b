"""The routes of all processes: once the API has answered, a new route works in each of them.

Beside the process that has the Hub's API there are its workers (``workers``), and after an upgrade
the one before it, until its last WebSocket has ended: they follow it. Tested by
tests/hub/test_shared_routes.py and tests/hub/test_workers.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeAlias

from proxy.hub.counts import Measured
from proxy.hub.hub_route import HubRoute
from proxy.hub.route_table import RouteTable

log = logging.getLogger("labgate")

WORKER_ANSWER_SECONDS = 10.0
"""A process that has not taken a change by then is cut off: its routes may be old ones."""

RouteMessage: TypeAlias = dict[str, Any]


class Follower:
    """Another process that serves with these routes.

    Attributes:
        measured: Its latest counts and measurements.

    Args:
        name: For the log.
        send: Sends it a message.
        cut_off: Ends it, because its routes may be old ones.
    """

    def __init__(
        self, name: str, send: Callable[[RouteMessage], None], cut_off: Callable[[], None]
    ) -> None:
        self.name = name
        self.measured = Measured()
        self._send = send
        self._cut_off = cut_off
        self._number = 0
        self._unanswered: dict[int, asyncio.Future[None]] = {}

    def ask(self, message: RouteMessage) -> asyncio.Future[None]:
        """Send a message; the result is there when it has done what that says, or has gone."""
        self._number += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unanswered[self._number] = done
        self._send({**message, "number": self._number})
        return done

    def answered(self, number: int) -> None:
        """It has carried out a message."""
        done = self._unanswered.pop(number, None)
        if done is not None and not done.done():
            done.set_result(None)

    def cut_off(self) -> None:
        """End it."""
        log.error("%s does not answer and is ended: its routes may be old ones", self.name)
        self._cut_off()

    def gone(self) -> None:
        """It has ended: complete everything that waits for it."""
        for number in list(self._unanswered):
            self.answered(number)


class SharedRoutes:
    """The routes here, and those who follow.

    Attributes:
        table: The routes here.
        followers: The other processes.

    Args:
        table: The routes here.
        measured: The counts and measurements of this process.
    """

    def __init__(self, table: RouteTable, measured: Callable[[], Measured] = Measured) -> None:
        self.table = table
        self.followers: set[Follower] = set()
        self._measured = measured
        self._ended = Measured()

    async def add(self, path: str, data: dict[str, Any], text: str | None = None) -> HubRoute:
        """Add a route everywhere, or replace it; as ``RouteTable.add``.

        Raises:
            ValueError: The target cannot be one.
        """
        route = self.table.add(path, data, text)
        if self.followers:
            await self._send_to_all({"add": [route.path, data]})
        await self.table.written()
        return route

    async def remove(self, path: str) -> HubRoute | None:
        """Remove a route everywhere; None if there is none with this key."""
        route = self.table.remove(path)
        if route is not None and self.followers:
            await self._send_to_all({"remove": route.path})
        await self.table.written()
        return route

    async def refresh(self) -> None:
        """Ask every follower for its current activity and measurements."""
        if self.followers:
            await self._send_to_all({"measure": True})

    async def measured(self) -> Measured:
        """What all processes measure, and what they and those before them have counted."""
        await self.refresh()
        total = Measured()
        total.add_counts(self._ended)
        for one in (self._measured(), *(follower.measured for follower in self.followers)):
            total.add(one)
        return total

    def follow(self, follower: Follower) -> None:
        """Send it every change from now on; it must have all current routes."""
        self.followers.add(follower)

    def on_message(self, follower: Follower, message: RouteMessage) -> None:
        """Handle a follower's message: its activity, its measurements, or a change that is done."""
        self.table.note_activity(message.get("activity", {}))
        if "measured" in message:
            # A predecessor of another version may measure something else.
            with suppress(LookupError, TypeError):
                follower.measured = Measured.of(message["measured"])
        if "done" in message:
            follower.answered(message["done"])

    def forget(self, follower: Follower) -> None:
        """A follower has ended; what it counted stays."""
        if follower in self.followers:
            self.followers.discard(follower)
            self._ended.add_counts(follower.measured)
        follower.gone()

    async def _send_to_all(self, message: RouteMessage) -> None:
        """Send a message to all followers; return when each has carried it out or has ended."""
        # Send it to all before yielding, so that changes stay in their order.
        asked = [(follower, follower.ask(message)) for follower in self.followers]
        _, late = await asyncio.wait([done for _, done in asked], timeout=WORKER_ANSWER_SECONDS)
        for follower, done in asked:
            if done in late:
                follower.cut_off()
        if late:
            await asyncio.wait(late, timeout=WORKER_ANSWER_SECONDS)


class Following:
    """The follower's side: carries out the messages of the process with the API.

    Args:
        routes: Of this process, and of those that follow it.
        send: Sends a message to the process with the API.
    """

    def __init__(self, routes: SharedRoutes, send: Callable[[RouteMessage], None]) -> None:
        self._routes = routes
        self._send = send

    async def take(self, message: RouteMessage) -> None:
        """Carry out a message, and confirm it; ignore unknown ones."""
        match message:
            case {"add": [path, data]}:
                await self._routes.add(path, data)
            case {"remove": path}:
                await self._routes.remove(path)
            case {"measure": _}:
                await self.report()
            case _:
                return
        self._send({"done": message["number"]})

    async def report(self) -> None:
        """Send the current activity and measurements."""
        measured = await self._routes.measured()
        self._send({"activity": self._routes.table.new_activity(), "measured": asdict(measured)})

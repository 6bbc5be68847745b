"""The routes where one process takes over from another (``service.handover``).

They pass as a file without a name, because messages to a successor are short ones, and with them a
channel for the time when both run, until the last WebSocket of the predecessor has ended: over it
the predecessor follows the routes and reports what is used (``shared_routes``). Tested by
tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Sequence

from proxy.errors import StartError
from proxy.hub.shared_routes import Follower, Following, SharedRoutes
from proxy.runtime import socket_passing
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn
from proxy.workers.channel import Channel

REPORT_SECONDS = 2.0


class Succession:
    """Both sides of it, as a process is first a successor and then a predecessor.

    Args:
        shared: The routes.
    """

    def __init__(self, shared: SharedRoutes) -> None:
        self._shared = shared
        self._listening: set[asyncio.Task[None]] = set()
        self._given: socket.socket | None = None
        self._channel: Channel | None = None
        self._following: Following | None = None

    # The successor

    async def take(self, descriptors: Sequence[int]) -> None:
        """Take the routes of the predecessor, which follows from now on.

        Raises:
            StartError: There are none in it.
        """
        try:
            file, end = descriptors
            routes = json.loads(socket_passing.content_of(file))
        except (OSError, ValueError) as error:
            raise StartError(f"The running labgate handed over no routes: {error}.") from None
        self._shared.table.take(routes)
        opened = socket.socket(fileno=end)
        opened.setblocking(False)
        channel = await Channel.open(opened)
        follower = Follower("the labgate before this one", channel.send, channel.close)
        self._shared.follow(follower)
        listening = spawn(self._listen(channel, follower), "the labgate before this one")
        self._listening.add(listening)
        listening.add_done_callback(self._listening.discard)

    async def wait_for_predecessors(self, force: asyncio.Event) -> None:
        """Wait until none is left, because what they tell passes through here."""
        forcing = spawn(force.wait(), "force")
        while self._listening and not force.is_set():
            await asyncio.wait({*self._listening, forcing}, return_when=asyncio.FIRST_COMPLETED)
        forcing.cancel()

    async def _listen(self, channel: Channel, follower: Follower) -> None:
        while (message := await channel.receive()) is not None:
            self._shared.on_message(follower, message)
        self._shared.forget(follower)
        channel.close()

    # The predecessor

    def give(self) -> list[int]:
        """Descriptors for ``take``.

        Raises:
            OSError: There is no room for the routes, or no descriptor is left.
        """
        routes = json.dumps(self._shared.table.passed()).encode("ascii")
        file = socket_passing.unnamed_file(routes)
        try:
            self._given, other = socket.socketpair()
        except OSError:
            os.close(file)
            raise
        self._given.setblocking(False)
        return [file, other.detach()]

    def withdraw(self) -> None:
        """The successor does not serve."""
        if self._given is not None:
            self._given.close()
            self._given = None

    async def follow(self) -> None:
        """Follow the routes of the successor until that ends or this task is cancelled."""
        assert self._given is not None, "it has the routes"
        self._channel = channel = await Channel.open(self._given)
        self._following = following = Following(self._shared, channel.send)
        reporting = spawn(run_periodically([following.report], REPORT_SECONDS), "activity")
        try:
            while (message := await channel.receive()) is not None:
                await following.take(message)
        finally:
            reporting.cancel()

    async def report_last(self) -> None:
        """Send the successor, if there is one, the changes since the last message."""
        if self._channel is not None and self._following is not None:
            await self._following.report()
            await self._channel.flush()
            self._channel.close()

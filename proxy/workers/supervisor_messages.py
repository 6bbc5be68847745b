"""The supervisor's messages, as every worker takes them, and how a worker ends.

Tested by tests/workers/test_faults.py and tests/e2e/test_workers.py.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

from proxy.runtime.tasks import spawn

from .channel import Channel, WorkerMessage

log = logging.getLogger("labgate")


class SupervisorMessages:
    """Carries out the messages about the end of the worker, and SIGTERM; hands on the others.

    Attributes:
        stop: Set when the worker is to accept no new requests, finish the open ones, and exit.
        force: Set when it is not to wait for open requests.

    Args:
        channel: To the supervisor.
        take: Carries out what is not about the end.
        leave_to_others: Accepts no new connections: another process does.
        wait_for_clients: Waits until no client is connected, or until the event is set.
    """

    def __init__(
        self,
        channel: Channel,
        take: Callable[[WorkerMessage], Awaitable[None]],
        leave_to_others: Callable[[], None],
        wait_for_clients: Callable[[asyncio.Event], Awaitable[None]],
    ) -> None:
        self.stop = asyncio.Event()
        self.force = asyncio.Event()
        self._channel = channel
        self._take = take
        self._leave_to_others = leave_to_others
        self._wait_for_clients = wait_for_clients

    def handle_sigterm(self) -> None:
        """Let SIGTERM end this worker alone: it drains; a second one ends the draining."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._drain)

    def leave_to_successor(self) -> None:
        """Accept nothing more, finish what is open, and have a successor started now."""
        self.stop.set()
        self._channel.send({"draining": True})
        self._leave_to_others()

    async def receive(self) -> None:
        """Take messages until the supervisor exits: a worker cannot run without it."""
        try:
            while (message := await self._channel.receive()) is not None:
                await self.take(message)
        except Exception as error:
            log.error("the supervisor sent what cannot be read (%s); this worker ends", error)
            self.leave_to_successor()
        finally:
            self.stop.set()

    async def take(self, message: WorkerMessage) -> None:
        """Carry out one message; a fault in that is logged, and ends nothing else.

        All workers may have the same message: if it stopped one, it would stop all.
        """
        try:
            match message:
                case {"leave": _}:
                    self._leave_to_others()
                    spawn(self._stop_without_clients(), "clients")
                case {"stop": _}:
                    self.stop.set()
                case {"force": _}:
                    self.force.set()
                case _:
                    await self._take(message)
        except Exception:
            log.exception("a message of the supervisor cannot be used")

    def _drain(self) -> None:
        if self.stop.is_set():
            self.force.set()
        self.leave_to_successor()

    async def _stop_without_clients(self) -> None:
        await self._wait_for_clients(self.stop)
        self.stop.set()

"""Requests without a pause, over kept and over new connections, and how many were lost."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Connect = Callable[[], http.client.HTTPConnection]

KEPT, NEW = 2, 1


class SteadyLoad:
    """Runs inside a ``with``; an exception of a client fails the test as a lost request.

    Attributes:
        answered: Requests with a complete response of the expected status.
        lost: What became of the others.

    Args:
        connect: A new connection, that is not open yet.
        target: What is asked for.
        status: Expected.
    """

    def __init__(self, connect: Connect, target: str = "/", status: int = 200) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self._connect, self._target, self._status = connect, target, status
        self._ending = threading.Event()
        self._more = threading.Condition()
        self._threads = [threading.Thread(target=self._over_kept) for _ in range(KEPT)]
        self._threads += [threading.Thread(target=self._over_new) for _ in range(NEW)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ask for nothing more, and wait for the last responses."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, requests: int, seconds: float = 90) -> None:
        """Wait until so many more were answered or lost."""
        with self._more:
            wanted = self._count + requests
            assert self._more.wait_for(lambda: self._count >= wanted, seconds), self.lost

    @property
    def _count(self) -> int:
        return self.answered + len(self.lost)

    def _over_kept(self) -> None:
        connection = self._connect()
        while not self._ending.is_set():
            if not self._ask(connection):
                connection.close()
        connection.close()

    def _over_new(self) -> None:
        while not self._ending.is_set():
            connection = self._connect()
            self._ask(connection)
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        """One request; http.client opens the connection, also after a Connection: close."""
        lost = ""
        try:
            connection.request("GET", self._target)
            response = connection.getresponse()
            response.read()
            if response.status != self._status:
                lost = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            lost = repr(error)
        with self._more:
            if lost:
                self.lost.append(lost)
            else:
                self.answered += 1
            self._more.notify_all()
        return not lost

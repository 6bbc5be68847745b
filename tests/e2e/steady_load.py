"""Requests without a pause, over kept and over new connections, and how many were lost."""

from __future__ import annotations

import http.client
import ssl
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
        lost_ports: The local ports of the connections that lost one; 0 if it was never open.

    Args:
        connect: A new connection, that is not open yet.
        target: What is asked for.
        status: Expected.
        kept: How many clients keep their connections.
        new: How many make a new connection for each request.
        again: Whether a request is sent once more, over a new connection, when a kept one closes
            before any octet of the response: as browsers do (RFC 9110, section 9.2.2; RFC 9112,
            section 9.3.1).
    """

    def __init__(
        self,
        connect: Connect,
        target: str = "/",
        status: int = 200,
        *,
        kept: int = KEPT,
        new: int = NEW,
        again: bool = False,
    ) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self.lost_ports: set[int] = set()
        self._connect, self._target, self._status = connect, target, status
        self._again = again
        self._served: set[threading.Thread] = set()
        self._ending = threading.Event()
        self._more = threading.Condition()
        self._threads = [threading.Thread(target=self._over_kept) for _ in range(kept)]
        self._threads += [threading.Thread(target=self._over_new) for _ in range(new)]

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

    def wait_for_each(self, seconds: float = 90) -> None:
        """Wait until each client has a response."""
        with self._more:
            everybody = set(self._threads)
            assert self._more.wait_for(lambda: self._served == everybody, seconds), self.lost

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
        """One request, over a new connection where there was a Connection: close."""
        lost, port, response = "", 0, None
        is_kept = connection.sock is not None
        try:
            if not is_kept:
                connection.connect()
            port = connection.sock.getsockname()[1]
            connection.request("GET", self._target)
            response = connection.getresponse()
            response.read()
            if response.status != self._status:
                lost = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            closed = response is None and isinstance(error, (ConnectionError, ssl.SSLError))
            if self._again and is_kept and closed:
                connection.close()
                return self._ask(connection)
            lost = repr(error)
        with self._more:
            if lost:
                self.lost.append(lost)
                self.lost_ports.add(port)
            else:
                self.answered += 1
                self._served.add(threading.current_thread())
            self._more.notify_all()
        return not lost

"""Requests that the inspector sends again through the rules: a worker has them.

Tested by tests/workers/test_replays.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count
from typing import Any

from proxy.inspector.remote import CapturedElsewhere
from proxy.inspector.replay_front import REPLAY_SECONDS
from proxy.inspector.replay_request import ReplayRefused
from proxy.rules.head import Arrival, RequestHead

from .channel import WorkerMessage
from .worker_process import WorkerProcess

SPARE_SECONDS = 5.0
"""A worker ends the request itself before."""


class Replays:
    """Has workers send requests, and knows which exchanges those became.

    Args:
        captured: Gets the exchanges.
    """

    def __init__(self, captured: CapturedElsewhere) -> None:
        self._captured = captured
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[int]] = {}

    async def send(
        self, workers: Iterable[WorkerProcess], head: RequestHead, content: bytes
    ) -> int:
        """Have one of the workers send a request; returns the exchange's number.

        Raises:
            ReplayRefused: None of them does.
        """
        worker = next((one for one in workers if one.serves), None)
        if worker is None:
            raise ReplayRefused("no worker serves at the moment: try again in a second")
        number = next(self._numbers)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        worker.send({"replay": message_of(number, head, content)})
        try:
            async with asyncio.timeout(REPLAY_SECONDS + SPARE_SECONDS):
                return await answer
        except TimeoutError:
            raise ReplayRefused(f"worker process {worker.pid} did not answer") from None
        finally:
            del self._waiting[number]

    def answered(self, worker: WorkerProcess, message: WorkerMessage) -> None:
        """A worker has sent a request, and tells its exchange, if it captures any."""
        exchange = message["exchange"]
        numbers = self._captured.take(worker, [] if exchange is None else [exchange])
        waiting = self._waiting.get(message["number"])
        if waiting is None or waiting.done():
            return
        if numbers:
            waiting.set_result(numbers[0])
        else:
            waiting.set_exception(ReplayRefused("the worker that sent it captures nothing"))


def message_of(number: int, head: RequestHead, content: bytes) -> WorkerMessage:
    """A request as JSON takes it."""
    return {
        "number": number,
        "method": head.method.decode("latin-1"),
        "target": head.target.decode("latin-1"),
        "fields": [[part.decode("latin-1") for part in field] for field in head.fields],
        "content": content.decode("latin-1"),
        "peer": head.arrival.peer,
        "login_left_out": head.arrival.login_left_out,
    }


def read_message(message: dict[str, Any]) -> tuple[RequestHead, bytes]:
    """The reverse of ``message_of``."""
    fields = tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in message["fields"]
    )
    method, target = (message[part].encode("latin-1") for part in ("method", "target"))
    arrival = Arrival(message["peer"], sent_again=True, login_left_out=message["login_left_out"])
    head = RequestHead(method, target, (1, 1), fields, arrival)
    return head, message["content"].encode("latin-1")

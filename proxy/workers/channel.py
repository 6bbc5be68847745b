"""What supervisor and worker tell each other, over one socket pair: a line of JSON each.

The supervisor begins with the ``WorkerSetup``; after it come, from the supervisor,

- ``{"upstream": {…}}``   where Jupyter is (the fields of ``UpstreamAddress``)
- ``{"reload": true}``    look at the certificates now
- ``{"login": {…}}``      what another worker learned of a login (``SharedLockout.apply``)
- ``{"logout": […]}``    a session that is over (``Revocation``), and is kept
- ``{"stop": true}``      take nothing new, finish what is open, end
- ``{"force": true}``     do not wait for it

and from the worker

- ``{"ready": true}``     it serves
- ``{"failed": "…"}``     it cannot start, and why
- ``{"draining": true}``   it was asked by SIGTERM to end: another may take its place
- ``{"login": {…}}``      for the other workers
- ``{"logout": […]}``    for the supervisor to keep, and for all workers

The end of the stream means that the other one is gone.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict, dataclass
from typing import Any, Self

Message = dict[str, Any]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Everything a worker needs to know at its start.

    Attributes:
        settings: The configuration, only keys that were given.
        workers: How many there are.
        access_log: Whether to write one.
        main: Descriptors of the listening sockets, HTTPS or, without TLS, HTTP.
        plain: Those of the port that redirects.
        session_key: For the cookies, in hexadecimal; all workers have the same.
        digest_key: For the digests that passwords are remembered by.
        upstream: Where Jupyter is, when that is known.
        logins: What was learned before.
        logouts: The sessions that are over.
    """

    settings: dict[str, Any]
    workers: int
    access_log: bool
    main: list[int]
    plain: list[int]
    session_key: str
    digest_key: str
    upstream: dict[str, Any] | None
    logins: list[Message]
    logouts: list[list[Any]]

    def message(self) -> Message:
        """As it goes over the channel."""
        return asdict(self)


class Channel:
    """One end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over ``end``, which is the channel's from here on."""
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_MESSAGE_BYTES))

    async def receive(self) -> Message | None:
        """The next message; None when the other one is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: Message = json.loads(line)
        return message

    def send(self, message: Message) -> None:
        """Nobody is told when the other one is gone: ``receive`` says so."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode("ascii") + b"\n")

    async def flush(self) -> None:
        """Wait until the other one has read enough for everything to be on its way."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """End of the conversation."""
        self._writer.close()

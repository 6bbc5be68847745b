"""The messages between supervisor and worker: lines of JSON on a socket pair.

The supervisor first sends the ``WorkerSetup``, then

- ``{"upstream": {…}}``    Jupyter's address (the fields of ``UpstreamAddress``)
- ``{"prepare": {…}}``     load another configuration (the fields of ``WorkerReload``)
- ``{"apply": 7}``         put the configuration with this number into force
- ``{"forget": 7}``        do not: another worker cannot use it
- ``{"login": {…}}``       an update for ``SharedLockout.apply``, from another worker
- ``{"logout": […]}``      a ``Revocation`` that the supervisor has stored
- ``{"inspect": {…}}``     the ``CaptureOptions``; null switches the capture off
- ``{"replay": {…}}``       send a request (``replays.Replays``) as if a client had
- ``{"vacant": […]}``      the descriptors of the sockets whose worker does not accept: all others
                         do, until the next such message
- ``{"unlock": "…"}``      lift the lockout of this address
- ``{"report": true}``     asks for a ``ProcessReport``
- ``{"leave": true}``      accept no new connections, exit when the last client has gone
- ``{"stop": true}``       accept no new requests, finish the open ones, exit
- ``{"force": true}``      do not wait for open requests

and the worker sends

- ``{"version": "…"}``     first of all: labgate's, as it is installed now
- ``{"ready": true}``      it serves
- ``{"failed": "…"}``      it cannot start, with the reason
- ``{"prepared": {…}}``    a configuration's number, and why it cannot be used; empty if it can
- ``{"draining": true}``   it accepts nothing more, and ends: start another worker
- ``{"login": {…}}``       for the other workers
- ``{"logout": […]}``      for the supervisor to store, and for all workers
- ``{"report": {…}}``      the ``ProcessReport``
- ``{"exchanges": [{…}]}`` captured by the inspector, new or changed
- ``{"replayed": {…}}``     its exchange
- ``{"fault": "…"}``       the capture has ended here with a fault, in a sentence

The stream ends when the other process exits.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict, dataclass
from typing import Any, Self

WorkerMessage = dict[str, Any]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Everything that a worker needs to start.

    Attributes:
        settings: The configuration; only keys that were given.
        workers: The number of workers.
        access_log: Whether to write an access log.
        ports: The ``descriptors`` of its listening sockets, and of the other workers'.
        session_key: Signs session cookies, in hexadecimal; the same in all workers.
        digest_key: Keys the digests of passwords, in hexadecimal; the same in all workers.
        upstream: Jupyter's address; None if it is not known yet.
        logins: Earlier updates for ``SharedLockout.apply``.
        logouts: The revoked sessions.
    """

    settings: dict[str, Any]
    workers: int
    access_log: bool
    ports: dict[str, Any]
    session_key: str
    digest_key: str
    upstream: dict[str, Any] | None
    logins: list[WorkerMessage]
    logouts: list[list[Any]]

    def message(self) -> WorkerMessage:
        """The message for the channel."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerReload:
    """Another configuration for a worker; the attributes are those of ``WorkerSetup``.

    Attributes:
        number: Tells it from those before: an answer may come after nobody waits for it.
    """

    number: int
    settings: dict[str, Any]
    access_log: bool
    session_key: str
    logouts: list[list[Any]]

    def message(self) -> WorkerMessage:
        """The message for the channel."""
        return {"prepare": asdict(self)}


class Channel:
    """One end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # drain() would leave up to 64 KiB unwritten.
        writer.transport.set_write_buffer_limits(high=0)

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Create a channel that owns the socket ``end``."""
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_MESSAGE_BYTES))

    async def receive(self) -> WorkerMessage | None:
        """The next message; None if the other process has exited.

        Raises:
            ValueError: What came is no message, or longer than ``MAX_MESSAGE_BYTES``; nothing
                more can be received.
        """
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: WorkerMessage = json.loads(line)
        return message

    def send(self, message: WorkerMessage) -> None:
        """Send a message; does nothing if the other process has exited."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode("ascii") + b"\n")

    async def flush(self) -> None:
        """Wait until all messages are written to the socket."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._writer.close()

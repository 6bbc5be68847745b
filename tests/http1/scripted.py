"""A connection to Jupyter without a socket, fed by hand: for many thousand answers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from proxy.http1.client_connection import UpstreamConnection
from proxy.rules.head import ResponseHead
from tests.heads import get

GONE = socket.socket()
GONE.close()


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return GONE if name == "socket" else default

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True


class Line:
    """A connection and what became of it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.reusable: bool | None = None
        self.connection = UpstreamConnection(self._released)
        self.connection.connection_made(self.wire)

    def _released(self, connection: UpstreamConnection, reusable: bool) -> None:
        self.reusable = reusable

    def ask(
        self, receiver: RecordingReceiver, method: bytes = b"GET", *, upgrade: bool = False
    ) -> None:
        """A whole request."""
        self.reusable = None
        self.connection.send(receiver, get(method=method), b"", b"1", b"", upgrade=upgrade)

    def feed(self, pieces: list[bytes]) -> None:
        """What Jupyter says, until labgate hangs up."""
        for piece in pieces:
            if self.wire.closing:
                return
            if piece:
                self.connection.data_received(piece)

    def end(self, error: Exception | None = None) -> None:
        """Jupyter hangs up, or labgate's own end arrives."""
        if error is None and not self.wire.closing:
            self.connection.eof_received()
        self.wire.closing = True
        self.connection.connection_lost(error)


class RecordingReceiver:
    """What one client would receive (``messages.Receiver``)."""

    def __init__(self) -> None:
        self.interim: list[int] = []
        self.heads: list[ResponseHead] = []
        self.content = b""
        self.upgraded: bytes | None = None
        self.complete = 0
        self.failure: Exception | None = None
        self.for_page = False

    @property
    def over(self) -> bool:
        return bool(self.complete or self.failure)

    def on_interim(self, head: ResponseHead) -> None:
        assert not self.heads
        assert not self.over
        self.interim.append(head.status)

    def on_head(self, head: ResponseHead) -> None:
        assert not self.over
        self.heads.append(head)

    def on_content(self, data: bytes) -> None:
        assert self.heads
        assert not self.over
        self.content += data

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        assert not self.over
        self.upgraded = rest

    def on_pause(self) -> None:
        pass

    def on_end(self) -> None:
        assert not self.over
        assert len(self.heads) == 1
        self.complete += 1

    def on_failure(self, error: Exception) -> None:
        assert not self.over
        self.failure = error


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces that end at these places (modulo its length)."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

"""A transport in memory, for what connections decide over time: no sockets, and no waiting."""

from __future__ import annotations

import asyncio
import socket


class MemoryTransport(asyncio.Transport):
    """Keeps what a connection does to it.

    Attributes:
        written: The bytes.
        unread: How many of them the other end has not read.
        state: ``open``, ``closing`` or ``aborted``.
        reading: Whether bytes are wanted.
        half_closed: Whether a FIN was sent.
        protocol: Whom the event loop would call.
        high_water_bytes: So many unread ones are congestion.

    Args:
        channel: A socket for whoever looks below the transport.
        extra: What else ``get_extra_info`` knows.
    """

    def __init__(self, channel: socket.socket | None = None, **extra: object) -> None:
        super().__init__({"socket": channel} | extra)
        self.high_water_bytes: int | None = None
        self.written = b""
        self.unread = 0
        self.state = "open"
        self.reading = True
        self.half_closed = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high_water_bytes = high

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        assert self.reading, "uvloop would raise"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "uvloop would raise"
        self.reading = True

    def is_closing(self) -> bool:
        return self.state != "open"

    def close(self) -> None:
        self.state = "closing"

    def abort(self) -> None:
        self.state = "aborted"

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

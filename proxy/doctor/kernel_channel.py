"""The WebSocket of a kernel, and questions to the kernel through it.

Tested by tests/doctor/test_servers.py and tests/doctor/test_nginx.py.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from .browser import Browser, close
from .judge.sockets import SUBPROTOCOL
from .kernel_messages import KernelMessage, decoded, encoded
from .raw import FAILURES, in_words

ANSWER_SECONDS = 60.0


class ChannelEnded(Exception):  # noqa: N818  reads as what happened
    """The WebSocket ended, or nothing came, before the answer was there: why, in words."""


class KernelChannel:
    """An open WebSocket of a kernel with the binary subprotocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket, self._session = socket, session

    async def ask(self, kind: str, content: dict[str, Any], *, padding: int = 0) -> KernelMessage:
        """Send a request on the shell channel, and wait for its reply.

        Raises:
            ChannelEnded: There is none.
        """
        id_, data = encoded(kind, content, self._session, padding)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._socket.send_bytes(data)
                while True:
                    message = await self._next()
                    if message.channel == "shell" and message.parent == id_:
                        return message
        except TimeoutError:
            raise ChannelEnded(f"no answer within {ANSWER_SECONDS:g} s") from None
        except FAILURES as error:
            raise ChannelEnded(in_words(error)) from None

    async def _next(self) -> KernelMessage:
        while True:
            frame = await self._socket.receive()
            if frame.type is aiohttp.WSMsgType.BINARY:
                return decoded(frame.data)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                raise ChannelEnded(ending(self._socket, frame))

    @property
    def closed(self) -> bool:
        return self._socket.closed

    async def close(self) -> None:
        """Close the WebSocket; the kernel goes on."""
        await close(self._socket)


async def open_channel(browser: Browser, kernel: str, session: str) -> KernelChannel | None:
    """A channel to a kernel; None if it cannot be opened."""
    path = f"/api/kernels/{kernel}/channels?session_id={session}"
    answer, socket = await browser.socket(
        path, origin=browser.target.origin, protocols=(SUBPROTOCOL,)
    )
    if socket is None:
        return None
    if answer.field("Sec-WebSocket-Protocol") != SUBPROTOCOL:
        await close(socket)
        return None
    return KernelChannel(socket, session)


def ending(socket: aiohttp.ClientWebSocketResponse, frame: aiohttp.WSMessage) -> str:
    """How a WebSocket ended, for people."""
    if frame.type is aiohttp.WSMsgType.ERROR:
        return in_words(frame.data)
    code = frame.data if frame.type is aiohttp.WSMsgType.CLOSE else socket.close_code
    if code in (None, 1006):
        return "the connection ended without a close frame"
    return f"close code {code}" + (f" ({frame.extra})" if frame.extra else "")

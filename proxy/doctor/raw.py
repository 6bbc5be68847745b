"""Requests byte by byte, which no client library would send; one connection each."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress

import aiohttp

from .answer import UNREADABLE, Answer, not_http
from .target import Target

FAILURES = (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError)
"""What reading and writing over a network may raise."""

MAX_HEAD_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
"""How much of an answer is read; those to what is sent here are short."""


async def exchange(
    target: Target,
    tls: ssl.SSLContext | None,
    head: bytes,
    sent: str,
    *,
    body: Iterable[bytes] = (),
    seconds: float = 30.0,
) -> Answer:
    """Send a head and content, and read the answer up to its end or ``MAX_ANSWER_BYTES``.

    The answer is read while the content is sent: a proxy may refuse it by its head, and reset the
    connection once nobody reads any more.

    Args:
        target: Whom to ask.
        tls: Trust; None for plain HTTP.
        head: With the empty line at its end. It should hold ``Connection: close``.
        sent: The request in words.
        body: The content in pieces.
        seconds: How long to wait without any byte in either direction.
    """
    try:
        async with asyncio.timeout(10):
            reader, writer = await connect(target, tls)
    except FAILURES as error:
        return Answer(sent, failure=in_words(error))
    moved = _Clock()
    sending = asyncio.ensure_future(_send(writer, head, body, moved))
    received, failure = bytearray(), ""
    try:
        failure = await _read(reader, received, moved, seconds)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, *FAILURES):
            await sending
        await hang_up(writer)
    return parsed(sent, bytes(received), failure)


async def connect(
    target: Target, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the target, over TLS if there is trust for it.

    Raises:
        OSError: It cannot be reached, or its certificate is not trusted.
    """
    if target.socket:
        return await asyncio.open_unix_connection(target.socket)
    name = target.host if tls else None
    return await asyncio.open_connection(target.host, target.port, ssl=tls, server_hostname=name)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """End a connection, however it is; what the other side does not read within 1 s is dropped."""
    writer.close()
    try:
        async with asyncio.timeout(1):
            await writer.wait_closed()
    except FAILURES:
        writer.transport.abort()
        # The transport closes its socket in the event loop's next turn, which may be its last.
        await asyncio.sleep(0)


class _Clock:
    """When something moved last, in seconds of the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ticked()

    def ticked(self) -> None:
        self.last = self._loop.time()


async def _send(
    writer: asyncio.StreamWriter,
    head: bytes,
    body: Iterable[bytes],
    moved: _Clock,
) -> None:
    writer.write(head)
    for piece in body:
        writer.write(piece)
        await writer.drain()
        moved.ticked()


async def _read(
    reader: asyncio.StreamReader, received: bytearray, moved: _Clock, seconds: float
) -> str:
    """Read to the end; returns why there is no more, or nothing if that is the end."""
    loop = asyncio.get_running_loop()
    while len(received) < MAX_ANSWER_BYTES and not _is_whole(received):
        try:
            async with asyncio.timeout_at(moved.last + seconds):
                piece = await reader.read(2**16)
        except TimeoutError:
            if loop.time() < moved.last + seconds:
                continue
            return f"no answer within {seconds:g} s"
        except FAILURES as error:
            return in_words(error)
        if not piece:
            return "" if received else "the connection was closed without an answer"
        received += piece
        moved.ticked()
    return ""


def _is_whole(received: bytearray) -> bool:
    """Whether the content is complete, as far as Content-Length tells."""
    head, empty, _ = bytes(received[:MAX_HEAD_BYTES]).partition(b"\r\n\r\n")
    if not empty:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return len(received) - len(head) - 4 >= int(value)
    return False


def parsed(sent: str, received: bytes, failure: str) -> Answer:
    """The answer in the bytes of a connection, which may be none."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not status.isdigit():
        if received and not failure:
            failure = UNREADABLE if version.startswith("HTTP/") else not_http(first)
        return Answer(sent, failure=failure)
    fields = []
    for line in lines:
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    answer = Answer(sent, int(status), tuple(fields), body, len(body))
    if "chunked" in answer.field("Transfer-Encoding").lower():
        body = _unchunked(body)
    return Answer(sent, int(status), tuple(fields), body, len(body))


def _unchunked(body: bytes) -> bytes:
    """The content of chunks (RFC 9112 section 7.1), as far as they came."""
    content, at = [], 0
    while (end := body.find(b"\r\n", at)) >= 0:
        try:
            length = int(body[at:end].partition(b";")[0], 16)
        except ValueError:
            break
        if length <= 0:
            break
        content.append(body[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
    return b"".join(content)


def in_words(error: BaseException) -> str:
    """Why there is no answer, for people."""
    cause = error.__cause__ if isinstance(error, aiohttp.ClientConnectorError) else None
    error = getattr(error, "os_error", None) or cause or error
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused: nothing listens there"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was reset"
    if isinstance(error, aiohttp.ServerDisconnectedError | asyncio.IncompleteReadError):
        return "the connection was closed without an answer"
    if isinstance(error, socket.gaierror):
        return f"the name is not known: {error.strerror or error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return _unreadable(error.message)
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection ended before the content did"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _unreadable(message: str) -> str:
    """What aiohttp says of an answer that it cannot read, without the quoted octets."""
    lines = message.removeprefix("Bad status line").splitlines()
    why = next(filter(None, (line.strip(" :") for line in lines)), "")
    if not why or _OTHER_PROTOCOL.match(why):
        return not_http(message)
    reason = _QUOTED.split(why, maxsplit=1)[0]
    return f"{UNREADABLE}: {reason}" if reason else UNREADABLE


_OTHER_PROTOCOL = re.compile(r"Expected HTTP/|Invalid method|['\"](?!HTTP/)")
"""What aiohttp says where the first word is not HTTP's: its parser in C, or that in Python, which
only quotes the line."""

_QUOTED = re.compile(r"(?::?\s+|^)b?['\"]")

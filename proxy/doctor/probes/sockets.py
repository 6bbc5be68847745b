"""WebSockets: a kernel's, a terminal's, that of events; large messages, and silence.

Tested by tests/doctor/test_http2.py and tests/doctor/test_idle_timeout.py.
"""

from __future__ import annotations

import asyncio

import aiohttp

from proxy.doctor.browser import close, in_one_line
from proxy.doctor.examination import Examination, Impossible
from proxy.doctor.finding import Finding
from proxy.doctor.http2 import websocket_status
from proxy.doctor.judge import sockets as judge
from proxy.doctor.kernel_channel import ChannelEnded, KernelChannel, ending, open_channel
from proxy.doctor.raw import FAILURES

FROM_KERNEL_BYTES = 20 * 2**20
HTTP2_SECONDS = 10.0
TO_KERNEL_BYTES = 9 * 2**20
"""Jupyter itself takes 10 MiB (tornado: ``websocket_max_message_size``)."""


async def try_kernel_socket(examination: Examination) -> Finding | None:
    """A kernel's WebSocket opens, with its subprotocol, and the kernel answers."""
    belongings = examination.belongings
    path = f"/api/kernels/{belongings.kernel}/channels?session_id={belongings.label}"
    answer, socket = await examination.browser.socket(
        path, origin=examination.origin, protocols=(judge.SUBPROTOCOL,)
    )
    if socket is None:
        alone, opened = await examination.browser.socket(path, origin="")
        if opened is not None:
            await close(opened)
        return judge.judge_handshake(answer, alone)
    if found := judge.judge_subprotocol(answer):
        await close(socket)
        return found
    channel = KernelChannel(socket, belongings.label)
    try:
        reply = await channel.ask("kernel_info_request", {})
    except ChannelEnded as ended:
        await channel.close()
        sent = f"kernel_info_request after {answer.sent}"
        return Finding("websocket-refused", "", sent, str(ended))
    examination.language = reply.content["language_info"]["name"]
    examination.channel = channel
    return None


async def try_terminal_socket(examination: Examination) -> Finding | None:
    """A terminal's WebSocket opens."""
    return await _opens(examination, f"/terminals/websocket/{examination.belongings.terminal}")


async def try_events_socket(examination: Examination) -> Finding | None:
    """The WebSocket of events opens."""
    return await _opens(examination, EVENTS)


EVENTS = "/api/events/subscribe"


async def try_http2_socket(examination: Examination) -> Finding | None:
    """Where WebSockets over HTTP/2 are announced, one opens."""
    browser = examination.browser
    tls, path = browser.tls, browser.target.base + EVENTS
    assert tls is not None
    fields = browser.own(origin=examination.origin)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    status: int | None
    try:
        async with asyncio.timeout(HTTP2_SECONDS):
            pairs = [(name.lower(), value) for name, value in fields.items()]
            status = await websocket_status(browser.target, tls, pairs, path)
    except FAILURES:
        status = 0
    finally:
        tls.set_alpn_protocols(["http/1.1"])
    return judge.judge_http2_handshake(in_one_line("CONNECT", path, fields), status)


async def _opens(examination: Examination, path: str) -> Finding | None:
    answer, socket = await examination.browser.socket(path, origin=examination.origin)
    if socket is not None:
        await close(socket)
        return None
    alone, opened = await examination.browser.socket(path, origin="")
    if opened is not None:
        await close(opened)
    return judge.judge_handshake(answer, alone)


async def try_from_kernel(examination: Examination) -> Finding | None:
    """A message of 20 MiB comes from the kernel, in its reply and not in its output.

    Output is limited by Jupyter (``ServerApp.iopub_data_rate_limit``).
    """
    if examination.language != "python":
        raise Impossible("no kernel of Python")
    channel = await _channel(examination)
    expression = f"'x' * {FROM_KERNEL_BYTES}"
    content = {"code": "", "silent": True, "user_expressions": {"large": expression}}
    sent = f"a message of {FROM_KERNEL_BYTES:,} bytes from the kernel"
    ended = ""
    try:
        reply = await channel.ask("execute_request", content)
        if reply.size_bytes < FROM_KERNEL_BYTES:
            raise Impossible("the kernel did not make a large message")
    except ChannelEnded as reason:
        ended = str(reason)
    return judge.judge_large_message(sent, ended)


async def try_to_kernel(examination: Examination) -> Finding | None:
    """A message of 9 MiB arrives at the kernel."""
    channel = await _channel(examination)
    ended = ""
    try:
        await channel.ask("kernel_info_request", {}, padding=TO_KERNEL_BYTES)
    except ChannelEnded as reason:
        ended = str(reason)
    return judge.judge_large_message(f"a message of {TO_KERNEL_BYTES:,} bytes to the kernel", ended)


async def _channel(examination: Examination) -> KernelChannel:
    """The kernel's WebSocket; a new one where the last has ended."""
    if examination.channel is None or examination.channel.closed:
        belongings = examination.belongings
        examination.channel = await open_channel(
            examination.browser, belongings.kernel, belongings.label
        )
    if examination.channel is None:
        raise Impossible("the kernel's WebSocket does not open any more")
    return examination.channel


async def try_silence(examination: Examination) -> Finding | None:
    """A WebSocket on which nothing is said stays open; Jupyter sends no pings on that of events."""
    answer, socket = await examination.browser.socket(EVENTS, origin=examination.origin)
    if socket is None:
        return judge.judge_handshake(answer, None)
    loop = asyncio.get_running_loop()
    begun, ended = loop.time(), ""
    try:
        async with asyncio.timeout(examination.silence_seconds):
            frame = await socket.receive()
            while frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                frame = await socket.receive()  # an event of somebody else's
            ended = ending(socket, frame)
    except TimeoutError:
        pass
    finally:
        await close(socket)
    return judge.judge_silence(f"nothing on {EVENTS}", ended, loop.time() - begun)

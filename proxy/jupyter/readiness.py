"""Waits until Jupyter answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import closing

from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launcher
from proxy.net.connect_error import why_no_connection
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.tasks import spawn

FIRST_POLL_DELAY_SECONDS = 0.1
MAX_POLL_DELAY_SECONDS = 0.5
MAX_RESPONSE_BYTES = 64 * 1024


async def is_ready(address: UpstreamAddress, timeout_seconds: float = 2.0) -> bool:
    """Whether a Jupyter server answers at ``address``; never raises.

    It requests ``/api``, the only path that needs no login and does not count as activity.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            received = await _get_api(address)
        head, _, content = received.partition(b"\r\n\r\n")
        status = json.loads(content)
    # TimeoutError is an OSError; json raises RecursionError for what is nested too deeply.
    except (OSError, ValueError, RecursionError):
        return False
    ok = head.split(b"\r\n", 1)[0].split(b" ")[1:2] == [b"200"]
    return ok and isinstance(status, dict) and "version" in status


async def answers(address: UpstreamAddress, timeout_seconds: float, *, any_program: bool) -> bool:
    """Whether a Jupyter server answers at ``address``, or any program; never raises."""
    if any_program:
        return not await is_silent(address, timeout_seconds)
    return await is_ready(address, timeout_seconds)


async def is_silent(address: UpstreamAddress, timeout_seconds: float) -> bool:
    """Whether nothing answers at ``address``, not even an error; never raises."""
    return bool(await why_silent(address, timeout_seconds))


async def why_silent(address: UpstreamAddress, timeout_seconds: float) -> str:
    """Why nothing answers at ``address``, without a full stop; empty if anything does.

    Never raises.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            answered = bool(await _get_api(address, 1))
    except TimeoutError as error:
        # The kernel's own has a number: it gave up before us.
        return error.strerror or f"no answer within {timeout_seconds:g} s"
    except OSError as error:
        return why_no_connection(address, error)
    return "" if answered else "the connection ends without an answer"


async def _get_api(address: UpstreamAddress, max_bytes: int = MAX_RESPONSE_BYTES) -> bytes:
    """The complete response; with HTTP/1.0 it is not chunked and ends with the connection.

    Importing an HTTP client would make every start slower.
    """
    if address.path is not None:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        context = address.tls.context() if address.tls is not None else None
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    with closing(writer):
        writer.write(
            b"GET %bapi HTTP/1.0\r\nHost: %b\r\nAccept: application/json\r\n"
            b"Connection: close\r\n\r\n"
            % (address.base_path.encode(), address.origin.authority.encode())
        )
        received = b""
        while len(received) < max_bytes and (piece := await reader.read(MAX_RESPONSE_BYTES)):
            received += piece
        return received


async def wait_until_ready(
    launcher: Launcher, address: UpstreamAddress, timeout_seconds: float
) -> JupyterExit | None:
    """Wait until the Jupyter that ``launcher`` launched answers.

    Returns:
        None if it answers; its exit if something outside ended it before.

    Raises:
        StartError: It exited by itself, or did not answer in time; with the end of its log.
    """
    ended = spawn(launcher.wait_for_exit(), "jupyter: ended before it was ready")
    try:
        async with asyncio.timeout(timeout_seconds):
            await poll(address, ended)
    except TimeoutError:
        raise StartError(
            f"Jupyter did not answer {_shown(address)} within {timeout_seconds:g} s."
            f"{_indented(await launcher.last_lines())}\n"
            "If it only needs longer, allow it with jupyter.start_timeout_seconds."
        ) from None
    finally:
        if not ended.done():
            ended.cancel()
            await asyncio.wait({ended})
    if ended.cancelled():
        return None
    end = ended.result()
    if end.cause is ExitCause.OUTSIDE:
        return end
    raise StartError(
        f"Jupyter stopped while it was starting: {end.reason}.{_indented(end.last_lines)}\n"
        "Fix what it reports, then start again."
    )


async def poll(address: UpstreamAddress, ended: asyncio.Task[object]) -> None:
    """Return when Jupyter answers, or when ``ended`` is done."""
    pause = FIRST_POLL_DELAY_SECONDS
    # A response after its exit comes from another server.
    while not (ended.done() or await is_ready(address)):
        await asyncio.wait({ended}, timeout=pause)
        pause = min(pause * 1.5, MAX_POLL_DELAY_SECONDS)


def _shown(address: UpstreamAddress) -> str:
    if address.path is None:
        return f"{address.origin}{address.base_path}api"
    return f"{address.base_path}api on {address}"


def _indented(lines: Iterable[str]) -> str:
    text = "".join(f"\n    {line}" for line in lines)
    return f" The end of its log:{text}" if text else " It logged nothing."

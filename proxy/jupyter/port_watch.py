"""Notices that nothing listens any more on a port that was open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


async def wait_until_closed(
    host: str,
    port: int,
    *,
    was_open: Callable[[], bool],
    closed_seconds: float,
    interval_seconds: float,
) -> None:
    """Return when a port that was open has refused connections for some time.

    A server that is only busy or stopped (SIGSTOP) refuses none: the kernel accepts them for it.

    Args:
        host: Its address.
        port: Its number.
        was_open: Tells that it has been open even if no look here found it so: it may open and
            close between two looks.
        closed_seconds: For how long connections must be refused, without one that is accepted.
        interval_seconds: How often one is tried.
    """
    while not (was_open() or await is_open(host, port)):  # noqa: ASYNC110  a port has no event
        await asyncio.sleep(interval_seconds)
    loop = asyncio.get_running_loop()
    refused_since: float | None = None
    while refused_since is None or loop.time() - refused_since < closed_seconds:
        await asyncio.sleep(interval_seconds)
        if await is_open(host, port):
            refused_since = None
        elif refused_since is None:
            refused_since = loop.time()


async def is_open(host: str, port: int) -> bool:
    """Whether a connection is not refused."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # no descriptor, for example: that says nothing of the port
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True

"""Whether Jupyter answers yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import aiohttp
from yarl import URL

from proxy.errors import StartError
from proxy.jupyter.launcher import Launcher
from proxy.tasks import spawn
from proxy.upstream.address import UpstreamAddress

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 0.5


async def answers(address: UpstreamAddress, timeout_seconds: float = 2.0) -> bool:
    """Whether a Jupyter server answers at ``address``; never raises.

    ``/api`` is the one path that needs no login and is not counted as activity.
    """
    connector: aiohttp.BaseConnector = (
        aiohttp.TCPConnector() if address.path is None else aiohttp.UnixConnector(address.path)
    )
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(
                URL(_api(address), encoded=True),
                allow_redirects=False,
                headers={"Host": address.origin.authority},
            ) as response,
        ):
            if response.status != 200:
                return False
            body = await response.json(content_type=None)
            return isinstance(body, dict) and "version" in body
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        return False


async def wait_until_ready(
    launcher: Launcher, address: UpstreamAddress, timeout_seconds: float
) -> None:
    """Wait until the Jupyter that ``launcher`` launched answers.

    Raises:
        StartError: It ended, or did not answer in time; with the end of its log.
    """
    ended = spawn(launcher.ended(), "jupyter: ended before it was ready")
    try:
        async with asyncio.timeout(timeout_seconds):
            await _poll(address, ended)
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
        return
    end = ended.result()
    raise StartError(
        f"Jupyter stopped while it was starting: {end.reason}.{_indented(end.last_lines)}\n"
        "Mend what it says there, then start again."
    )


async def _poll(address: UpstreamAddress, ended: asyncio.Task[object]) -> None:
    """Return when Jupyter answers, or when ``ended`` is done."""
    pause = FIRST_PAUSE_SECONDS
    # An answer that comes after its end is somebody else's.
    while not (ended.done() or await answers(address)):
        await asyncio.wait({ended}, timeout=pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _api(address: UpstreamAddress) -> str:
    return f"{address.origin}{address.base_path}api"


def _shown(address: UpstreamAddress) -> str:
    if address.path is None:
        return _api(address)
    return f"{address.base_path}api on {address}"


def _indented(lines: Iterable[str]) -> str:
    text = "".join(f"\n    {line}" for line in lines)
    return f" The end of its log:{text}" if text else " It logged nothing."

"""Whether kernels or terminals of a Jupyter are in use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

from proxy.jupyter.container_action import Inspected, login_of, published_port
from proxy.jupyter.launcher import Login
from proxy.jupyter.port import LOOPBACK
from proxy.net.upstream_address import UpstreamAddress

API_TIMEOUT_SECONDS = 3.0


async def describe_container_activity(existing: Inspected) -> str:
    """Describe the running work that stopping this container would end; empty for none."""
    state, port = existing["State"], published_port(existing)
    if not state["Running"] or state.get("Restarting") or not port:
        return ""
    return await describe_activity(UpstreamAddress(LOOPBACK, port), login_of(existing))


async def describe_activity(address: UpstreamAddress, login: Login) -> str:
    """Describe the running work, or say that it is unknown; empty for none.

    The requests do not count as activity for Jupyter's culling.
    """
    if login.kind == "password":
        return "kernels may be busy (only who has the password can see)"
    try:
        async with (
            asyncio.timeout(API_TIMEOUT_SECONDS),
            aiohttp.ClientSession(headers={"Authorization": f"token {login.token}"}) as session,
        ):
            kernels = await _get_list(session, address, "kernels")
            terminals = await _get_list(session, address, "terminals")
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        return "kernels may be busy (Jupyter does not tell)"
    return describe_busy(kernels, terminals)


async def _get_list(
    session: aiohttp.ClientSession, address: UpstreamAddress, what: str
) -> list[Any]:
    async with session.get(f"{address.origin}{address.base_path}api/{what}") as response:
        if response.status == 404:  # terminals are disabled
            return []
        response.raise_for_status()
        listed = await response.json()
        if not isinstance(listed, list):
            raise ValueError(what)
        return listed


def describe_busy(kernels: Sequence[Any], terminals: Sequence[Any]) -> str:
    """Describe busy kernels and open terminals, as Jupyter's API lists them."""
    busy = sum(kernel.get("execution_state") not in ("idle", "dead") for kernel in kernels)
    described = []
    if busy:
        described.append("1 kernel is busy" if busy == 1 else f"{busy} kernels are busy")
    if terminals:
        count = len(terminals)
        described.append("1 terminal is open" if count == 1 else f"{count} terminals are open")
    return " and ".join(described)

"""The engine's events about one container."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime

import aiodocker

from proxy.jupyter.exit_cause import ACTIONS, Event, event_of


async def events_of(
    docker: aiodocker.Docker, container_id: str, since: datetime, seconds: float
) -> list[Event]:
    """What the engine remembers since then, and what it tells in the next ``seconds``.

    It tells of an exit before, while and after the exit can be seen. It remembers its last 256
    events (moby, daemon/events), of all containers, and none from before it was restarted.

    Raises:
        aiodocker.DockerError, aiohttp.ClientError: It does not answer.
    """
    about = {"type": ["container"], "container": [container_id], "event": list(ACTIONS)}
    # Whole seconds: what happened in the same second before does no harm.
    asked = {"since": str(int(since.timestamp())), "filters": json.dumps(about)}
    found: list[Event] = []
    with contextlib.suppress(TimeoutError):
        # aiodocker's own subscription does not tell an engine that refuses from a silent one.
        async with (
            asyncio.timeout(seconds),
            docker._query("events", params=asked) as response,
            response,
        ):
            async for line in response.content:
                found.append(event_of(json.loads(line)))  # noqa: PERF401  kept when time is over
    return found

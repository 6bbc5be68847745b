"""The engine's events about one container.

Tested by tests/jupyter/test_container_exits.py.
"""

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
    """The events since ``since``, and those of the next ``seconds``.

    The events of an exit may arrive before or after its effect is visible. The engine stores the
    last 256 events (moby, daemon/events) of all containers, until it is restarted.

    Raises:
        aiodocker.DockerError, aiohttp.ClientError: The engine does not answer.
    """
    filters = {"type": ["container"], "container": [container_id], "event": list(ACTIONS)}
    # Whole seconds: earlier events of the same second do no harm.
    parameters = {"since": str(int(since.timestamp())), "filters": json.dumps(filters)}
    found: list[Event] = []
    with contextlib.suppress(TimeoutError):
        # aiodocker's subscription cannot distinguish an error from silence.
        async with (
            asyncio.timeout(seconds),
            docker._query("events", params=parameters) as response,
            response,
        ):
            async for line in response.content:
                found.append(event_of(json.loads(line)))  # noqa: PERF401  survives the timeout
    return found

"""Logs when the container is paused: Jupyter then accepts requests and answers none.

Tested by tests/jupyter/test_container_exits.py and tests/jupyter/test_pauses.py.
"""

from __future__ import annotations

import asyncio
import json
import logging

import aiodocker

from proxy.jupyter.engine import EngineError

log = logging.getLogger("labgate.jupyter")

ENGINE_RETRY_SECONDS = 1.0


async def log_pauses(docker: aiodocker.Docker, container_id: str, name: str) -> None:
    """Log that the container was paused, and that it goes on, until this is cancelled."""
    filters = {"container": [container_id], "event": ["pause", "unpause"]}
    parameters = {"filters": json.dumps(filters)}
    while True:
        try:
            # aiodocker's subscription cannot distinguish an error from silence.
            async with (
                docker._query("events", params=parameters, timeout=None) as response,
                response,
            ):
                async for line in response.content:
                    if json.loads(line).get("Action") == "pause":
                        said = (
                            "Container %s is paused: requests wait. `docker unpause %s` ends that."
                        )
                        log.warning(said, name, name)
                    else:
                        log.info("Container %s is not paused any more.", name)
        except EngineError:
            pass  # whoever waits for its exit says that the engine does not answer
        except ValueError:
            pass  # the engine ended in the middle of a line
        except RuntimeError:
            return  # the session was closed
        await asyncio.sleep(ENGINE_RETRY_SECONDS)

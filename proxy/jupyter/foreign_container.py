"""The error for a container of the configured name that labgate did not create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.errors import StartError
from proxy.jupyter.container_action import Inspected, published_port
from proxy.jupyter.port import LOOPBACK
from proxy.jupyter.readiness import is_ready
from proxy.net.upstream_address import UpstreamAddress


async def foreign_container_error(existing: Inspected) -> StartError:
    """Describe the container and what to do; a Jupyter in it can be served without launching."""
    name, config, state = existing["Name"].lstrip("/"), existing["Config"], existing["State"]
    port = published_port(existing)
    answers = bool(state["Running"] and port) and await is_ready(UpstreamAddress(LOOPBACK, port))
    return StartError(
        f"Container {name} was not made by labgate (image {config['Image']}, "
        f"{state.get('Status') or 'stopped'}) and is left as it is. "
        f"Choose another name for labgate's with --name OTHER (jupyter.name)"
        f"{describe_serving(name, state, port, answers=answers)}"
    )


def describe_serving(name: str, state: Mapping[str, Any], port: int, *, answers: bool) -> str:
    """How to serve the Jupyter in a container without launching one, as the end of a sentence.

    Args:
        name: The container's.
        state: ``State`` as inspecting it gives.
        port: Where it is published on this machine; 0 for nowhere.
        answers: Whether a Jupyter answers there.
    """
    if not port:
        return ". It publishes no port here, so labgate cannot serve a Jupyter in it."
    first = ""
    if state.get("Paused"):
        first = f"docker unpause {name} && "
    elif not state["Running"]:
        first = f"docker start {name} && "
    when = "" if answers or first else " once Jupyter in it answers"
    serving = f"{first}labgate serve --upstream http://{LOOPBACK}:{port}"
    return f", or serve it as it is{when}: {serving}"

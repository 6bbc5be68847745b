"""The error for a container of the configured name that labgate did not create.

Tested by tests/jupyter/test_container.py.
"""

from __future__ import annotations

from proxy.errors import StartError
from proxy.jupyter.container_action import Inspected, published_port
from proxy.jupyter.port import LOOPBACK
from proxy.jupyter.readiness import is_ready
from proxy.net.upstream_address import UpstreamAddress


async def foreign_container_error(existing: Inspected) -> StartError:
    """Describe the container and what to do; a Jupyter in it can be served without launching."""
    name, config, state = existing["Name"].lstrip("/"), existing["Config"], existing["State"]
    remedy = "Choose another name for labgate's with --name OTHER (jupyter.name)"
    port = published_port(existing)
    if state["Running"] and port and await is_ready(UpstreamAddress(LOOPBACK, port)):
        remedy += f", or serve it as it is: labgate serve --upstream http://{LOOPBACK}:{port}"
    return StartError(
        f"Container {name} was not made by labgate (image {config['Image']}, "
        f"{state.get('Status') or 'stopped'}) and is left as it is. {remedy}"
    )

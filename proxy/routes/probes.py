"""Asks the upstreams of routes whether they answer.

Tested by tests/e2e/test_routes.py, tests/e2e/test_status.py and tests/check/test_jupyter.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from proxy.config.routes import RouteConfiguration
from proxy.jupyter.readiness import answers, why_silent
from proxy.net.upstream_address import UpstreamAddress

PROBE_SECONDS = 2.0
FIRST_PROBE_SECONDS = 0.5
"""At a start and at a reload, which do not wait for Jupyter."""


async def route_answers(route: RouteConfiguration, address: UpstreamAddress | None) -> bool:
    """Whether the Jupyter of a route answers; behind a stripped prefix there may be any program.

    Args:
        route: The route.
        address: Where its Jupyter is now; None if that is not known.
    """
    if address is None:
        return False
    return await answers(address, PROBE_SECONDS, any_program=route.strip_prefix)


async def routes_answer(routes: Sequence[RouteConfiguration]) -> list[bool]:
    """The same of several routes, all at once."""
    return await asyncio.gather(*(route_answers(route, route.address) for route in routes))


async def why_no_answer(key: str, route: RouteConfiguration, seconds: float) -> str:
    """Why the upstream of a route does not answer, and what to do; empty if it answers.

    Args:
        key: Of the upstream, as ``[[routes]] #1 upstream``.
        route: The route.
        seconds: How long each of the two probes waits.
    """
    address = route.address
    assert address is not None, "each of [[routes]] has one"
    if await answers(address, seconds, any_program=route.strip_prefix):
        return ""
    if silence := await why_silent(address, seconds):
        return (
            f"nothing answers there ({silence}): start it, or write where it is ({key}); until "
            "then requests get 503"
        )
    base = address.base_path
    return (
        f"it is no Jupyter, or has another base_url than {base}: start it with "
        f"--ServerApp.base_url={base}, or correct {key}"
    )


async def awaited(addresses: Iterable[UpstreamAddress | None], seconds: float) -> list[str]:
    """A sentence without a full stop for each where nothing answers, not even with an error.

    Args:
        addresses: None where it is not known.
        seconds: How long each is waited for.
    """
    probed = [one for one in addresses if one is not None]
    silences = await asyncio.gather(*(why_silent(one, seconds) for one in probed))
    return [
        f"nothing answers at {one} yet ({why}); requests get 503 until it does"
        for one, why in zip(probed, silences, strict=True)
        if why
    ]

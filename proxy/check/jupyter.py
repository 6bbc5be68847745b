"""The Jupyter behind labgate: the upstream, the Docker Engine, or a program of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiodocker

from proxy.check.running import check_claim
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.route_settings import route_name
from proxy.config.routes import RouteConfiguration, served_routes
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.jupyter.container_action import is_ours
from proxy.jupyter.engine import (
    EngineError,
    EngineUnavailable,
    address_of,
    connect_engine,
    has_image,
    inspect_container,
)
from proxy.jupyter.foreign_container import foreign_container_error
from proxy.jupyter.process import ProcessLauncher
from proxy.jupyter.process_command import jupyter_program
from proxy.jupyter.readiness import is_ready, why_silent
from proxy.net.upstream_address import DEFAULT_UPSTREAM, UpstreamAddress
from proxy.routes.probes import why_no_answer
from proxy.runtime.instance_lock import container_claim

ANSWER_SECONDS = 5.0


async def check_jupyter(settings: Settings, running: int = 0) -> AsyncIterator[Verdict]:
    """Look at whatever the configuration launches or names.

    Args:
        settings: The configuration.
        running: The process of the labgate that runs with this state folder; 0 if none does.
    """
    for number, route in enumerate(served_routes(settings)):
        yield await _check_route(f"{route_name(number)} upstream", route)
    if not settings.site_has_jupyter:
        return
    if settings.upstream.url:
        yield await _check_upstream(settings.upstream.address)
        return
    if settings.jupyter.launch == "none":
        yield await _check_upstream(DEFAULT_UPSTREAM)
        return
    if settings.jupyter.launch in ("auto", "docker"):
        try:
            docker = await connect_engine()
        except EngineUnavailable as error:
            if settings.jupyter.launch == "docker":
                yield fault("Engine", error)
                return
            yield remark("Engine", f"{error} Jupyter is launched as a local process.")
        else:
            async for verdict in _check_container(docker, settings, running):
                yield verdict
            return
    yield _check_process(settings)


async def _check_route(key: str, route: RouteConfiguration) -> Verdict:
    """Look at the upstream of one of ``[[routes]]``; ``key`` names it in the file."""
    address = route.address
    assert address is not None, "each has one"
    leads = f"{route.public_address} leads to {address}"
    try:
        address.check()
    except StartError as error:
        return fault("Route", f"{leads}. {key}: {error}")
    if reason := await why_no_answer(key, route, ANSWER_SECONDS):
        return fault("Route", f"{leads}, which does not answer: {reason}.")
    return Verdict("Route", f"{leads}, which answers.")


async def _check_upstream(address: UpstreamAddress) -> Verdict:
    if await is_ready(address, ANSWER_SECONDS):
        return Verdict("Upstream", f"Jupyter answers at {address}.")
    if silence := await why_silent(address, ANSWER_SECONDS):
        return fault(
            "Upstream",
            f"Nothing answers at {address} ({silence}). Start Jupyter there, or write where it is "
            "(upstream.url); until then requests get 503.",
        )
    return fault(
        "Upstream",
        f"What answers at {address} is no Jupyter, or has another base_url: it belongs in "
        f"upstream.url, as {address}/base/url.",
    )


async def _check_container(
    docker: aiodocker.Docker, settings: Settings, running: int
) -> AsyncIterator[Verdict]:
    name, image = settings.jupyter.name, settings.jupyter.image
    try:
        yield Verdict("Engine", "The Docker Engine answers.")
        for verdict in check_claim(container_claim(address_of(docker), name), running):
            yield verdict
        existing = await inspect_container(docker, name)
        if existing is not None and not is_ours(existing):
            yield fault("Container", await foreign_container_error(existing))
        elif existing is not None:
            yield Verdict("Container", f"{name} is {existing['State']['Status']}.")
        elif not await has_image(docker, image):
            yield remark(
                "Image", f"{image} is not here yet: the first start pulls it, for minutes."
            )
        else:
            yield Verdict("Image", f"{image} is here.")
    except EngineError as error:
        yield fault("Engine", f"The Docker Engine fails: {error}")
    finally:
        await docker.close()


def _check_process(settings: Settings) -> Verdict:
    try:
        program = jupyter_program()
        ProcessLauncher(settings.jupyter, settings.state_folder).require_folder()
    except StartError as error:
        return fault("Jupyter", error)
    return Verdict("Jupyter", f"{' '.join(program)} is installed.")

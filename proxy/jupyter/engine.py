"""Connects to the Docker Engine, and explains its errors.

Tested by tests/jupyter/test_choose_launcher.py and tests/jupyter/test_container.py.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiodocker
import aiohttp

from proxy.errors import StartError
from proxy.runtime.system_commands import COMMANDS

ENGINE_TIMEOUT_SECONDS = 10.0
"""An engine of a busy machine, as at boot, takes seconds; without one, connecting fails at once."""


class EngineUnavailable(StartError):  # noqa: N818  describes a state
    """No Docker Engine answers."""


EngineError = (aiodocker.DockerError, aiohttp.ClientError)
"""The errors that a request to the engine can raise."""

_PORT_IN_USE = ("port is already allocated", "address already in use")
_REMEDIES = (
    (
        _PORT_IN_USE,
        (
            "Free that port, or choose another with jupyter.port; "
            "LABGATE_JUPYTER__PORT=0 takes a free one"
        ),
    ),
    (
        ("bind source path does not exist",),
        "Make that folder first, and give it to Jupyter's user: chown 1000:100",
    ),
    (
        ("invalid characters for a local volume name", "invalid mount", "invalid volume"),
        "Write jupyter.volume as NAME:/container/path or /host/folder:/container/path",
    ),
    (
        ("unable to find user", "unable to find group", "invalid user", "uids and gids"),
        "Write jupyter.user as UID or UID:GID, for example 1000:100",
    ),
    (("memory limit", "memory"), "Set another jupyter.memory_limit, for example 4g"),
    (("executable file not found",), "jupyter.image has to be one of jupyter/docker-stacks"),
    (
        ("the container name",),
        "Choose another jupyter.name, or remove that container with docker rm",
    ),
    (("invalid reference format",), "Write jupyter.image as NAME:TAG"),
)


async def connect_engine(timeout_seconds: float = ENGINE_TIMEOUT_SECONDS) -> aiodocker.Docker:
    """Connect to the engine that the docker command uses (DOCKER_HOST, context, sockets).

    Raises:
        EngineUnavailable: It does not answer in time; with what to do.
    """
    try:
        docker = aiodocker.Docker()
    except AssertionError:  # aiodocker found no socket and no DOCKER_HOST
        raise engine_unavailable(
            "/run/docker.sock", "there is no such socket, and DOCKER_HOST is not set"
        ) from None
    except (ValueError, OSError, aiodocker.DockerError) as error:
        raise engine_unavailable("the configured address", str(error)) from None
    place = docker.docker_host
    if isinstance(docker.connector, aiohttp.UnixConnector):
        place = f"unix://{docker.connector.path}"
    try:
        async with asyncio.timeout(timeout_seconds):
            await docker.version()
    except BaseException as error:
        await docker.close()
        if isinstance(error, TimeoutError):
            raise engine_unavailable(place, f"no answer within {timeout_seconds:g} s") from None
        if isinstance(error, EngineError):
            raise engine_unavailable(place, *_cause(error)) from None
        raise
    return docker


def address_of(docker: aiodocker.Docker) -> str:
    """The engine's address, the same for every path that leads to its socket."""
    if isinstance(docker.connector, aiohttp.UnixConnector):
        return os.path.realpath(docker.connector.path)
    return docker.docker_host


def engine_unavailable(place: str, why: str, remedy: str = "") -> EngineUnavailable:
    """The error for an engine that cannot be reached at ``place``."""
    remedy = remedy or f"Start it ({COMMANDS.start_engine}), or use --launch process"
    return EngineUnavailable(f"Docker Engine not reachable at {place}: {why}. {remedy}.")


def engine_start_error(
    error: aiodocker.DockerError | aiohttp.ClientError, doing: str
) -> StartError:
    """The engine's message and, if it is known, what to do.

    Args:
        error: What aiodocker raised.
        doing: What failed, for example ``container jupyter cannot be started``.
    """
    words = error.message if isinstance(error, aiodocker.DockerError) else str(error)
    message = words.strip().rstrip(".") or type(error).__name__
    for signs, remedy in _REMEDIES:
        if any(sign in message.lower() for sign in signs):
            return StartError(f"{doing}: {message}. {remedy}.")
    return StartError(f"{doing}: {message}. The engine's log says more: {COMMANDS.engine_log}.")


def is_port_in_use(error: aiodocker.DockerError) -> bool:
    """Whether the engine refused to start because the port on the host is in use."""
    return any(sign in error.message.lower() for sign in _PORT_IN_USE)


def is_missing(error: BaseException) -> bool:
    """Whether the engine does not have what was asked for."""
    return isinstance(error, aiodocker.DockerError) and error.status == 404


async def inspect_container(docker: aiodocker.Docker, name: str) -> dict[str, Any] | None:
    """What the engine says of a container, by its name or identifier; None if it has none."""
    try:
        return await docker.containers.container(name).show()
    except aiodocker.DockerError as error:
        if is_missing(error):
            return None
        raise


async def has_image(docker: aiodocker.Docker, image: str) -> bool:
    """Whether the engine has an image, so that it need not be pulled."""
    try:
        await docker.images.inspect(image)
    except aiodocker.DockerError as error:
        if is_missing(error):
            return False
        raise
    return True


def _cause(error: BaseException) -> tuple[str, str]:
    """Why the engine was not reached, and what to do; empty for the usual advice."""
    below = error.__context__
    if isinstance(below, aiohttp.ClientConnectorError) and below.os_error.strerror:
        if isinstance(below.os_error, PermissionError):
            return "permission denied", (
                "Join the group docker (`sudo usermod -aG docker $USER`, then log in again), "
                "or use --launch process"
            )
        return below.os_error.strerror, ""
    return str(error), ""

from __future__ import annotations

import io
import json
from typing import Any

import aiodocker
import pytest
from aiohttp import web
from rich.console import Console

from proxy.errors import StartError
from proxy.jupyter import pull
from proxy.jupyter.pull import PullState, ensure_image
from tests.conftest import TEST_IMAGE
from tests.jupyter.registry import registry

# The engine's own words, shortened.
EVENTS = """
{"status":"Pulling from jupyter/base-notebook","id":"2025-03-14"}
{"status":"Already exists","progressDetail":{},"id":"a0"}
{"status":"Pulling fs layer","progressDetail":{},"id":"b1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"c2"}
{"status":"Waiting","progressDetail":{},"id":"c2"}
{"status":"Downloading","progressDetail":{"current":1000,"total":4000},"id":"b1"}
{"status":"Downloading","progressDetail":{"current":500,"total":6000},"id":"c2"}
{"status":"Verifying Checksum","progressDetail":{},"id":"b1"}
{"status":"Download complete","progressDetail":{},"id":"b1"}
{"status":"Extracting","progressDetail":{"current":32,"total":4000},"id":"b1"}
{"status":"Pull complete","progressDetail":{},"id":"b1"}
{"status":"Downloading","progressDetail":{"current":6000,"total":6000},"id":"c2"}
{"status":"Download complete","progressDetail":{},"id":"c2"}
{"status":"Pull complete","progressDetail":{},"id":"c2"}
{"status":"Digest: sha256:0123"}
{"status":"Status: Downloaded newer image for quay.io/jupyter/base-notebook:2025-03-14"}
"""


WITHOUT = "`docker save {}` on a machine that has it and `docker load` here, or --launch process"


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in EVENTS.strip().splitlines()]


def test_how_far_it_got() -> None:
    state = PullState()
    seen = []
    for event in recorded():
        state.update(event)
        seen.append((str(state), state.received, state.size))
    assert seen[1] == ("0/0 layers downloaded, 0/0 unpacked", 0, 0)
    assert seen[6] == ("0/2 layers downloaded, 0/2 unpacked", 1500, 10000)
    assert seen[9] == ("1/2 layers downloaded, 0/2 unpacked", 4500, 10000)
    assert seen[10] == ("1/2 layers downloaded, 1/2 unpacked", 4500, 10000)
    assert seen[-1] == ("2/2 layers downloaded, 2/2 unpacked", 10000, 10000)


def test_a_terminal_sees_a_bar() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=160)
    state = PullState()
    with pull._bar(console, "lab:1") as show:
        for event in recorded()[:7]:
            state.update(event)
        show(state)
    assert "Pulling lab:1: 0/2 layers downloaded" in written.getvalue()
    assert "1.5/10.0 kB" in written.getvalue()


def test_a_log_gets_a_line_now_and_then() -> None:
    written = io.StringIO()
    state = PullState()
    seconds = iter(range(100))
    with pull._lines(Console(file=written), "lab:1", lambda: float(next(seconds))) as show:
        for event in recorded():
            state.update(event)
            show(state)
    assert written.getvalue().splitlines() == [
        "Pulling lab:1 …",
        "Pulling lab:1: 0/2 layers downloaded, 0/2 unpacked, 0 bytes of 0 bytes",
        "Pulling lab:1: 1/2 layers downloaded, 0/2 unpacked, 4.5 kB of 10.0 kB",
        "Pulling lab:1: 2/2 layers downloaded, 2/2 unpacked, 10.0 kB of 10.0 kB",
    ]


@pytest.mark.docker
async def test_an_image_that_is_there_is_not_pulled(docker: aiodocker.Docker) -> None:
    written = io.StringIO()
    await ensure_image(docker, TEST_IMAGE, Console(file=written))
    assert written.getvalue() == ""


@pytest.mark.docker
@pytest.mark.parametrize("terminal", [True, False])
async def test_pulled_from_a_real_registry(docker: aiodocker.Docker, terminal: bool) -> None:
    written = io.StringIO()
    async with registry(3_000_000, 1_000_000) as image:
        try:
            console = Console(file=written, force_terminal=terminal, width=160)
            await ensure_image(docker, image, console)
            assert (await docker.images.inspect(image))["Os"] == "linux"
        finally:
            await docker.images.delete(image, force=True)
    assert f"pulled {image}" in written.getvalue()
    assert ("layers downloaded" in written.getvalue()) is terminal


async def pull_error(docker: aiodocker.Docker, image: str) -> str:
    """What is said of a pull that fails, which always names the ways without a registry."""
    with pytest.raises(StartError) as caught:
        await ensure_image(docker, image, Console(file=io.StringIO()))
    error = str(caught.value)
    assert WITHOUT.format(image) in error
    return error


@pytest.mark.docker
async def test_no_such_image(docker: aiodocker.Docker) -> None:
    async with registry(10) as image:
        missing = image.replace("noise:1", "noise:2")
        error = await pull_error(docker, missing)
    assert f"Image {missing} cannot be pulled" in error
    assert "There is no such tag: check the name and tag in jupyter.image" in error


@pytest.mark.docker
async def test_a_layer_is_lost(docker: aiodocker.Docker) -> None:
    async with registry(1000, 1000, lost=True) as image:
        with pytest.raises(StartError, match=f"Image {image} cannot be pulled"):
            await ensure_image(docker, image, Console(file=io.StringIO()))


@pytest.mark.docker
async def test_no_network(docker: aiodocker.Docker) -> None:
    image = "registry.invalid/jupyter/nothing:1"
    error = await pull_error(docker, image)
    assert f"Image {image} cannot be pulled" in error
    assert "The engine does not find registry.invalid in DNS" in error


@pytest.mark.docker
@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        ("UNAUTHORIZED", "The registry wants a login, and labgate has none: `docker login 127.0."),
        ("DENIED", "If the repository is a private one: `docker login 127.0.0.1:"),
        ("TOOMANYREQUESTS", "The registry lets this address pull no more for now"),
    ],
)
async def test_a_registry_that_refuses(docker: aiodocker.Docker, refusal: str, remedy: str) -> None:
    async with registry(10, refusal=refusal) as image:
        assert remedy in await pull_error(docker, image)


@pytest.mark.docker
async def test_nobody_answers_at_the_registry(docker: aiodocker.Docker) -> None:
    with pytest.raises(StartError, match=r"The engine does not reach 127\.0\.0\.1:1"):
        await ensure_image(docker, "127.0.0.1:1/x:1", Console(file=io.StringIO()))


async def test_an_engine_that_ends_in_the_middle() -> None:
    """It closes the stream of events like after a success; the image is not there."""

    async def engine(request: web.BaseRequest) -> web.Response:
        if request.path.endswith("/images/create"):
            return web.Response(text=EVENTS.strip().splitlines()[2] + "\r\n")
        return web.json_response({"message": "No such image"}, status=404)

    runner = web.ServerRunner(web.Server(engine), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    docker = aiodocker.Docker(url=address, api_version="v1.41")
    try:
        with pytest.raises(StartError) as caught:
            await ensure_image(docker, "quay.io/x/y:1", Console(file=io.StringIO()))
    finally:
        await docker.close()
        await runner.cleanup()
    message = str(caught.value)
    assert (
        "The pull of image quay.io/x/y:1 broke off (0/1 layers downloaded, 0/1 unpacked)" in message
    )
    assert "Start again to go on." in message
    assert WITHOUT.format("quay.io/x/y:1") in message

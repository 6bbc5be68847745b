"""What the tests need of the machine, and what happens where it is missing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import aiodocker
import pytest
import uvloop
from hypothesis import HealthCheck, settings

from proxy.jupyter.engine import EngineUnavailable, connect_engine
from proxy.jupyter.port import DEFAULT_PORT, LOOPBACK
from tests.fronts import FRONTS, choose, front
from tests.jupyter import image

T = TypeVar("T")

TEST_IMAGE = "quay.io/jupyter/base-notebook:local"
PULL_TEST_IMAGE = (
    "docker pull quay.io/jupyter/base-notebook:latest && "
    f"docker tag quay.io/jupyter/base-notebook:latest {TEST_IMAGE}"
)
OWN_PIP = "python3 -m venv /tmp/V && /tmp/V/bin/pip"
INSTALL_DOCKER = "apt-get install docker.io && (dockerd &)"

# Some machines have something else to do, too.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

LEFT_OUT = {"aiohttp": ["own_protocol"], "mounted": ["own_protocol", "own_server"]}
"""The marks of the tests that say nothing about a front."""

OCCUPIED = pytest.StashKey[socket.socket]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--front aiohttp``: clients meet aiohttp's server instead of labgate's own protocol.

    With ``--front http2`` each labgate offers HTTP/2, which every browser takes, and tests that
    write HTTP/1.1 to an edge in this process ask it through a gateway (tests/http2/gateway.py).
    With ``--front mounted`` it is a route of an aiohttp application.
    """
    help_text = "what speaks HTTP with clients in this run: tests/fronts.py"
    parser.addoption("--front", choices=[*FRONTS], default=front(), help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    """Take Jupyter's usual port, else tests that run at once would all choose it."""
    choose(config.getoption("--front"))
    if not hasattr(config, "workerinput"):
        with suppress(OSError):
            config.stash[OCCUPIED] = socket.create_server((LOOPBACK, DEFAULT_PORT))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give it back."""
    if OCCUPIED in config.stash:
        config.stash[OCCUPIED].close()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave the exit code for .ci/run, which starts pytest by make."""
    file = os.environ.get("PYTEST_EXIT_FILE")
    if file and not hasattr(session.config, "workerinput"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(str(int(exitstatus)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Six for two cores, because most of a test is waiting; memory bounds them."""
    return min(3 * (os.cpu_count() or 1), 8)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest is best begun early: browsers and containers, then other programs."""
    if markers := LEFT_OUT.get(front()):
        left_out = [item for item in items if any(map(item.get_closest_marker, markers))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    ranks: dict[Path, int] = {}
    for item in items:
        rank = 2
        if item.get_closest_marker("chromium") or item.get_closest_marker("docker"):
            rank = 0
        elif item.get_closest_marker("jupyter") or item.path.parent.name == "e2e":
            rank = 1
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])


def require(condition: object, lack: str, remedy: str) -> None:
    """Skip the test on a machine that lacks something; fail it where nothing may be missing.

    Args:
        condition: True where it can run.
        lack: What is missing, as it stands in the list of what was skipped.
        remedy: What to do about it: a command where there is one.
    """
    if condition:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{lack}: {remedy}")
    pytest.skip(f"{lack}: {remedy}")


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder for Unix sockets: a path has room for a hundred octets, and pytest's are deep."""
    with TemporaryDirectory(prefix="lg", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def jupyterlab() -> None:
    """A real JupyterLab beside labgate."""
    require(importlib.util.find_spec("jupyterlab"), "no JupyterLab", "pip install jupyterlab")


@pytest.fixture
async def docker() -> AsyncIterator[aiodocker.Docker]:
    """A Docker Engine that has the test image."""
    client = None
    try:
        client = await connect_engine()
    except EngineUnavailable:
        require(False, "no Docker Engine answers", INSTALL_DOCKER)
    assert client is not None
    try:
        try:
            await client.images.inspect(TEST_IMAGE)
        except aiodocker.DockerError:
            require(False, f"no image {TEST_IMAGE}", PULL_TEST_IMAGE)
        yield client
    finally:
        await client.close()


class StandIn:
    """The name of the image with the stand-in for Jupyter; built when it is first asked for."""

    def __init__(self) -> None:
        self.built = ""

    @property
    def name(self) -> str:
        self.built = self.built or _run(image.build(TEST_IMAGE))
        return self.built


def _run(work: Coroutine[object, object, T]) -> T:
    """Run it to its end on a loop of its own, beside the test's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def _stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    if stand_in.built:
        _run(image.remove(stand_in.built))


@pytest.fixture
def stand_in(docker: aiodocker.Docker, _stand_in: StandIn) -> str:
    """An image with a stand-in for Jupyter, which starts and stops at once."""
    return _stand_in.name


LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Tests run on asyncio's loop; those marked ``both_loops`` on uvloop's as well."""
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("both_loops") is not None:
        factories["uvloop"] = uvloop.new_event_loop
    return factories

"""How a container can end on a real engine, and that it comes back.

Where Jupyter's own last words decide, a real one ends.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiodocker
import aiohttp
import pytest
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.jupyter.container import ContainerLauncher
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launched
from proxy.jupyter.readiness import wait_until_ready
from tests.conftest import TEST_IMAGE
from tests.jupyter.place import READY_SECONDS, Place, kill_all_in
from tests.jupyter.visits import contents_status, read, save

pytestmark = pytest.mark.docker

LIMIT_SECONDS = 60.0
SUSPEND_JUPYTER = """
for process in /proc/[0-9]*; do
    [ "${process#/proc/}" = $$ ] || kill -STOP "${process#/proc/}" 2>/dev/null || true
done
"""
TERMINATE_JUPYTER = """
import os, signal
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) not in (1, os.getpid()):
        os.kill(int(pid), signal.SIGTERM)
"""


async def end_of(ended: asyncio.Task[JupyterExit]) -> JupyterExit:
    async with asyncio.timeout(LIMIT_SECONDS):
        return await ended


def container_of(place: Place) -> DockerContainer:
    return place.docker.containers.container(place.name)


async def under_way(place: Place) -> tuple[ContainerLauncher, Launched]:
    """A container that has begun to start Jupyter, and hears signals."""
    launcher, launched = await place.launched()
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await launcher.last_lines():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.05)
    return launcher, launched


async def comes_back(launcher: ContainerLauncher, before: Launched) -> Launched:
    """Started again, with the same address and login; Jupyter in it is not waited for."""
    now = await launcher.relaunch()
    assert (now.address, now.login) == (before.address, before.login)
    assert now.stopped_with_labgate == before.stopped_with_labgate
    return now


async def opens(launcher: ContainerLauncher, launched: Launched) -> None:
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert await contents_status(launched.address, launched.login.token) == 200


async def shut_down(launched: Launched) -> None:
    """Shut Down in Jupyter's menu."""
    headers = {"Authorization": f"token {launched.login.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{launched.address}/api/shutdown") as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize("how", ["stop", "SIGKILL", "SIGTERM"])
async def test_stopped_and_killed_from_outside(place: Place, how: str) -> None:
    launcher, launched = await under_way(place)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    if how == "stop":
        await container_of(place).stop()
    else:
        await container_of(place).kill(signal=how)
    end = await end_of(ended)
    number = 9 if how == "SIGKILL" else 15
    assert end.cause is ExitCause.OUTSIDE
    assert end.reason == f"container {place.name} was stopped from outside (signal {number})"
    now = await comes_back(launcher, launched)
    assert now.description.endswith(", started again")


@pytest.mark.deployment
async def test_its_own_menu(place: Place) -> None:
    launcher, launched = await place.ready(image=TEST_IMAGE)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await shut_down(launched)
    end = await end_of(ended)
    assert end.cause is ExitCause.SHUT_DOWN
    assert end.reason == f"container {place.name} shut itself down"
    await comes_back(launcher, launched)


@pytest.mark.deployment
async def test_a_signal_that_did_not_come_through_the_engine(place: Place) -> None:
    launcher, _ = await place.ready(image=TEST_IMAGE)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    execution = await container_of(place).exec(["python3", "-c", TERMINATE_JUPYTER])
    async with execution.start(detach=False) as stream:
        while await stream.read_out() is not None:
            pass
    end = await end_of(ended)
    assert (end.exit_code, end.cause) == (0, ExitCause.OUTSIDE)
    assert end.reason == f"container {place.name} was ended by SIGTERM"


async def test_removed(place: Place) -> None:
    launcher, launched = await place.ready()
    await save(launched.address, launched.login.token, "work/kept.txt", "kept")
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await container_of(place).delete(force=True)
    end = await end_of(ended)
    assert end.cause is ExitCause.OUTSIDE
    assert end.reason == f"container {place.name} was removed"
    now = await comes_back(launcher, launched)
    assert now.description.endswith(", created")
    await opens(launcher, now)
    assert await read(now.address, now.login.token, "work/kept.txt") == "kept"


async def test_restarted_from_outside_it_is_left_alone(place: Place) -> None:
    launcher, launched = await under_way(place)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await container_of(place).restart()
    if ended.done():  # a slow machine: its start came after we had looked
        assert (await ended).cause is ExitCause.OUTSIDE
    now = await comes_back(launcher, launched)
    assert now.description.endswith(", which somebody started again")
    if not ended.done():
        await container_of(place).kill()
        assert (await end_of(ended)).cause is ExitCause.OUTSIDE, "it still looks after it"


async def test_paused_it_has_not_ended(place: Place) -> None:
    launcher, launched = await under_way(place)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    container = container_of(place)
    await place.pause()
    await container.unpause()
    assert not ended.done()
    await place.pause()
    await container.kill()
    assert (await end_of(ended)).cause is ExitCause.OUTSIDE
    await comes_back(launcher, launched)


async def test_a_crash_that_the_engine_gave_up_on(place: Place) -> None:
    launcher, launched = await under_way(place)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    container = container_of(place)
    await place.docker._query_json(
        f"containers/{place.name}/update", "POST", data={"RestartPolicy": {"Name": "no"}}
    )
    await kill_all_in(container)
    end = await end_of(ended)
    assert end.cause is ExitCause.CRASHED
    assert end.reason == f"container {place.name} exited with status {end.exit_code}"
    assert end.last_lines
    await comes_back(launcher, launched)


class Relay:
    """A socket in front of the engine's that can be closed, as while the engine restarts."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self._engine = engine
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._relay, str(self.path))

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)  # From Python 3.13 on the server has done it.
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._engine)
        self._writers += [writer, up_writer]
        with suppress(ConnectionError), closing(writer), closing(up_writer):
            await asyncio.wait(
                {
                    asyncio.ensure_future(_pipe(reader, up_writer)),
                    asyncio.ensure_future(_pipe(up_reader, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)


@asynccontextmanager
async def behind_relay(
    place: Place, folder: Path
) -> AsyncIterator[tuple[ContainerLauncher, Relay]]:
    connector = place.docker.connector
    assert isinstance(connector, aiohttp.UnixConnector)
    relay = Relay(folder / "engine.sock", connector.path)
    await relay.open()
    usual = await place.launcher()
    launcher = ContainerLauncher(
        usual._settings,
        place.state_folder,
        aiodocker.Docker(url=f"unix://{relay.path}"),
        Console(file=io.StringIO()),
    )
    try:
        yield launcher, relay
    finally:
        await launcher.stop()
        await relay.close()


@pytest.mark.deployment
async def test_an_engine_that_goes_away_and_comes_back(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind_relay(place, tmp_path) as (launcher, relay):
        launched = await launcher.launch()
        ended = asyncio.ensure_future(launcher.wait_for_exit())
        await place.docker.version()
        await relay.close()
        await container_of(place).stop()
        assert not ended.done()
        assert caplog.text.count("Docker Engine does not answer") == 1, "said once"
        await relay.open()
        assert (await end_of(ended)).cause is ExitCause.OUTSIDE
        assert "Docker Engine answers again" in caplog.text
        await comes_back(launcher, launched)


async def test_a_pause_is_told_with_what_ends_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "labgate.jupyter")
    launcher, _ = await place.launched()
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    paused = f"Container {place.name} is paused: requests wait. `docker unpause {place.name}`"
    goes_on = f"Container {place.name} is not paused any more."

    async def until_told(line: str) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while line not in caplog.text:
                # Again, because the launcher may not have listened yet.
                await place.pause()
                await container_of(place).unpause()
                await asyncio.sleep(0.1)

    await until_told(paused)
    await until_told(goes_on)
    await launcher.stop()
    await end_of(ended)


async def test_one_that_ignores_the_stop_is_killed_and_a_warning_says_so(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    await under_way(place)
    await place.run(SUSPEND_JUPYTER)
    launcher = await place.launcher(stop_seconds=1)
    await launcher.launch()
    await launcher.stop()
    assert caplog.messages == [
        f"Jupyter did not stop within 1 s and was killed (container {place.name})."
    ]
    assert await place.all() == {place.name: "exited"}


async def test_one_that_obeys_the_stop_gets_no_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    launcher, _ = await under_way(place)
    await launcher.stop()
    assert not caplog.messages

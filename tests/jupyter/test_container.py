from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from typing import Any, NoReturn

import aiodocker
import pytest
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.config.password_hash import hash_passphrase
from proxy.errors import StartError
from proxy.jupyter.container_action import published_port
from proxy.jupyter.container_creation import ContainerCreator
from proxy.jupyter.readiness import is_ready, wait_until_ready
from proxy.jupyter.temporary_container import TEMPORARY_LABEL
from proxy.net.upstream_address import UpstreamAddress
from tests.conftest import TEST_IMAGE
from tests.e2e.programs import free_port
from tests.jupyter.place import HOME, READY_SECONDS, WORK, Place, kill_all_in
from tests.jupyter.visits import (
    contents_status,
    password_opens,
    read,
    save,
    until_it_answers,
)

pytestmark = pytest.mark.docker


async def test_created_ready_and_the_token_opens_it(place: Place) -> None:
    launcher, launched = await place.ready(image=TEST_IMAGE, memory_limit="1g")
    assert launched.description == f"container {place.name} (image {TEST_IMAGE}), created"
    assert launched.login.kind == "token"
    assert await contents_status(launched.address, launched.login.token) == 200
    assert await contents_status(launched.address) == 403
    now = await place.inspect()
    assert now["NetworkSettings"]["Ports"]["8888/tcp"] == [
        {"HostIp": "127.0.0.1", "HostPort": str(launched.address.port)}
    ]
    assert now["HostConfig"]["Memory"] == 1 << 30
    assert now["HostConfig"]["RestartPolicy"]["Name"] == "on-failure"
    assert launched.login.token not in str(now["Config"]["Labels"])
    assert any("is running at" in line for line in await launcher.last_lines(50))
    await launcher.stop()
    await launcher.stop()
    assert await place.all() == {place.name: "exited"}


async def test_password_opens_it(place: Place) -> None:
    _, launched = await place.ready(image=TEST_IMAGE, password=hash_passphrase("open sesame"))
    assert launched.login.kind == "password"
    assert await password_opens(launched.address, "open sesame")
    assert not await password_opens(launched.address, "open barley")


async def test_a_running_one_is_adopted_and_stopped_like_one_that_was_created(place: Place) -> None:
    _, first = await place.ready()
    other, second = await place.ready()
    assert second.description.endswith(", adopted")
    assert second.address == first.address
    assert second.login == first.login
    assert first.stopped_with_labgate == second.stopped_with_labgate == f"container {place.name}"
    assert await contents_status(second.address, second.login.token) == 200
    await other.stop()
    assert await place.all() == {place.name: "exited"}


async def test_a_stopped_one_is_started_at_the_same_place(place: Place) -> None:
    launcher, first = await place.ready()
    identity = (await place.inspect())["Id"]
    await launcher.stop()
    launcher, second = await place.ready()
    assert second.description.endswith(", started")
    assert second.address == first.address
    assert (await place.inspect())["Id"] == identity
    assert await contents_status(second.address, first.login.token) == 200
    await launcher.stop()
    assert await place.all() == {place.name: "exited"}


async def test_a_paused_one_goes_on(place: Place) -> None:
    _, launched = await place.ready()
    await place.pause()
    assert not await is_ready(launched.address, 0.2)
    await place.ready()


async def test_changed_settings_replace_it_but_keep_the_work(place: Place) -> None:
    launcher, first = await place.ready()
    await save(first.address, first.login.token, "work/kept.txt", "kept")
    await launcher.stop()
    _, second = await place.ready(memory_limit="1g")
    assert second.description.endswith(", replaced")
    assert await place.all() == {place.name: "running"}
    assert await read(second.address, second.login.token, "work/kept.txt") == "kept"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"volume": "/no/such/folder:/work"}, r"Folder /no/such/folder, .*does not exist"),
        ({"image": "registry.invalid/none:1"}, r"cannot be pulled"),
        ({"image": "labbase:bookworm"}, r"no start-notebook\.py.*jupyter\.image"),
        ({"memory_limit": "1m"}, r"[Mm]emory limit.*jupyter\.memory_limit"),
        ({"user": "4000000000"}, r"must be in range.*jupyter\.user"),
        ({"volume": "other:/"}, r"jupyter\.volume"),
        ({"port": "taken"}, r"in use.*jupyter\.port"),
    ],
)
async def test_a_replacement_that_cannot_be_is_not_begun(
    place: Place, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], message: str
) -> None:
    caplog.set_level(logging.INFO)
    await place.launched()
    before, volumes = (await place.inspect())["State"]["StartedAt"], await place.volumes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if settings.get("port") == "taken":
            settings = {"port": taken.getsockname()[1]}
        other = await place.launcher(
            recreate=True, **{"home": f"{place.name}-b:{HOME}", **settings}
        )
        with pytest.raises(StartError, match=message) as caught:
            await other.launch()
    assert str(caught.value).startswith(f"Container {place.name} stays as it was")
    assert await place.all() == {place.name: "running"}
    assert (await place.inspect())["State"]["StartedAt"] == before, "it was not stopped for it"
    assert await place.volumes() == volumes
    assert "Replacing" not in caplog.text


async def test_a_replacement_is_checked_at_the_port_that_it_takes_over(place: Place) -> None:
    """Also after a check that was killed in the middle, whose container is there still."""
    port = (await place.launched())[1].address.port
    leftover: Any = {"Image": place.image, "Cmd": ["true"], "Labels": {TEMPORARY_LABEL: "1"}}
    await place.docker.containers.create(leftover, name=f"{place.name}-labgate-check")
    _, launched = await place.launched(recreate=True, memory_limit="1g")
    assert launched.description.endswith(", replaced")
    assert launched.address.port == port
    assert await place.all() == {place.name: "running"}


async def test_a_replacement_that_fails_brings_the_earlier_one_back(place: Place) -> None:
    """Whatever the check did not find."""
    launcher, _ = await place.launched()
    existing = await place.inspect()
    spec = replace(await launcher._spec(existing), memory=1 << 20)
    creator = ContainerCreator(place.docker, spec, 0, Console(file=place.progress))
    with pytest.raises(aiodocker.DockerError, match=r"[Mm]emory limit"):
        await creator.replace(existing, await creator.prepare())
    assert await place.all() == {place.name: "running"}
    assert (await place.inspect())["Id"] == existing["Id"]


async def test_an_earlier_one_that_cannot_come_back_is_said_to_be_stopped(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first error is the one to read; why it is stopped is in the log."""
    await place.launched()

    async def fail_to_copy(*_: object) -> NoReturn:
        # Nobody can make the engine fail at exactly this moment.
        await place.docker.containers.container(place.name).delete(force=True)
        raise StartError("The copy is not whole.")

    monkeypatch.setattr("proxy.jupyter.container_creation.copy_folders", fail_to_copy)
    other = await place.launcher(recreate=True, memory_limit="1g")
    with pytest.raises(StartError) as caught:
        await other.launch()
    await other.stop()
    name = place.name
    said = f"Container {name} is stopped (`docker start {name}`). The copy is not whole."
    assert str(caught.value) == said
    assert f"Container {place.name} could not be started again: " in caplog.text


@pytest.mark.parametrize("state", ["running", "paused", "exited"])
async def test_a_foreign_one_is_left_alone(place: Place, state: str) -> None:
    before = await place.by_hand(RestartPolicy={"Name": "always"})
    container = place.docker.containers.container(place.name)
    port = before["NetworkSettings"]["Ports"]["8888/tcp"][0]["HostPort"]
    address = UpstreamAddress("127.0.0.1", int(port))
    await until_it_answers(address)
    if state == "paused":
        await place.pause()
    elif state == "exited":
        await container.stop(t=10)
    before = await place.inspect()
    launcher = await place.launcher()
    with pytest.raises(StartError) as caught:
        await launcher.launch()
    said = str(caught.value)
    assert said.startswith(
        f"Container {place.name} was not made by labgate (image {place.image}, {state})"
    )
    assert "--name OTHER" in said
    serving = f"labgate serve --upstream http://127.0.0.1:{port}"
    first = {"paused": "docker unpause", "exited": "docker start"}.get(state)
    assert said.endswith(f"{first} {place.name} && {serving}" if first else f": {serving}")
    await launcher.stop()
    assert await place.inspect() == before
    assert await place.all() == {place.name: state}


async def test_port_as_wanted_and_when_it_is_taken(place: Place) -> None:
    port = free_port()
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with listening:
        launcher = await place.launcher(port=port)
        with pytest.raises(StartError, match=rf"{port}.*Free that port.*jupyter\.port"):
            await launcher.launch()
    assert await place.all() == {}
    _, launched = await place.ready(port=port)
    assert launched.address.port == port


async def test_another_port_when_somebody_was_quicker(place: Place) -> None:
    """As between the choice of a free port and the start; nobody asked for a certain one."""
    launcher, first = await place.ready(port=0)
    container = place.docker.containers.container(place.name)
    await container.delete(force=True)
    taken = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", first.address.port
    )
    async with taken:
        second = await launcher.relaunch()
        assert second.address.port != first.address.port
        existing = await place.inspect()
        spec = await launcher._spec(existing)
        creator = ContainerCreator(
            place.docker, spec, first.address.port, Console(file=place.progress)
        )
        await creator.replace(existing, await creator.prepare())
    assert published_port(await place.inspect()) not in (0, first.address.port)
    assert await place.all() == {place.name: "running"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"volume": "/no/such/folder:/work"},
            r"Folder /no/such/folder, .*does not exist\. .*chown 1000:100",
        ),
        ({"memory_limit": "1m"}, r"[Mm]emory limit.*jupyter\.memory_limit"),
        ({"image": "labbase:bookworm"}, r"executable file not found.*jupyter\.image"),
        ({"image": "Not An Image"}, r"jupyter\.image"),
        ({"image": "registry.invalid/none:1"}, r"registry\.invalid/none:1 cannot be pulled"),
    ],
)
async def test_what_the_engine_refuses(place: Place, settings: Any, message: str) -> None:
    launcher = await place.launcher(**settings)
    with pytest.raises(StartError, match=message):
        await launcher.launch()
    assert await place.all() == {}
    await launcher.stop()


async def test_a_crash_at_start_shows_the_log(place: Place) -> None:
    # Root, which Jupyter refuses to be.
    launcher = await place.launcher(user="0")
    launched = await launcher.launch()
    with pytest.raises(StartError) as caught:
        await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert f"container {place.name} exited with status 1" in str(caught.value)
    assert "Running as root is not recommended" in str(caught.value)


async def test_a_default_volume_of_its_own(place: Place) -> None:
    _, launched = await place.launched(volume=None)
    assert launched.work_location == (
        f"{HOME} in volume {place.name}-home; {WORK} in volume {place.name}-work"
    )


async def test_the_shared_volume_of_an_earlier_version_stays_in_use(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    shared = f"{place.name}-shared"
    mounted: Any = [{"Type": "volume", "Source": shared, "Target": WORK}]
    await place.of_the_first_version(Mounts=mounted)
    await place.run("echo kept > work/file")
    for change in ({}, {"memory_limit": "1g"}):
        launcher, launched = await place.launched(
            shared_volume=shared, volume=None, recreate=True, **change
        )
        assert launched.description.endswith(", replaced")
        assert launched.work_location.endswith(f"; {WORK} in volume {shared}")
        assert await place.run("cat work/file") == "kept"
        assert f"goes on with volume {shared} at {WORK}, which other containers" in caplog.text
        assert "volume: was" not in caplog.text
    await place.docker.containers.container(place.name).delete(force=True)
    await launcher.relaunch()
    assert await place.run("cat work/file") == "kept", "made anew while labgate runs"
    await place.docker.containers.container(place.name).delete(force=True)
    _, launched = await place.launched(shared_volume=shared, volume=None)
    own = f"{place.name}-work"
    assert launched.work_location.endswith(f"; {WORK} in volume {own}"), "by another labgate"
    assert f"its work is in {shared}: --volume {shared}:{WORK} mounts that." in caplog.text


@pytest.mark.deployment
async def test_ended_waits_out_the_engines_restarts(place: Place) -> None:
    launcher, launched = await place.ready()
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    container = place.docker.containers.container(place.name)
    await kill_all_in(container)
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert (await container.show())["RestartCount"] == 1
    assert not ended.done()
    await container.stop(t=10)
    end = await ended
    assert end.reason == f"container {place.name} was stopped from outside (signal 15)"
    await launcher.relaunch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert await contents_status(launched.address, launched.login.token) == 200


async def test_removed_and_relaunched_at_the_same_place(place: Place) -> None:
    launcher, launched = await place.ready()
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await place.docker.containers.container(place.name).delete(force=True)
    assert (await ended).reason == f"container {place.name} was removed"
    await launcher.relaunch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert await contents_status(launched.address, launched.login.token) == 200


async def test_stop_ends_the_wait(place: Place) -> None:
    launcher = await place.launcher()
    await launcher.launch()
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await asyncio.sleep(0)
    await launcher.stop()
    assert await ended
    assert await launcher.last_lines() == ()


async def test_the_engine_may_tell_of_the_exit_with_the_stop(place: Place) -> None:
    """The engine's answer arrives, and there is no session left to ask it how that ended."""
    launcher = await place.launcher()
    await launcher.launch()
    asked, message = asyncio.Event(), asyncio.Event()

    class Late(DockerContainer):
        async def wait(self, **_: Any) -> dict[str, Any]:
            asked.set()
            await launcher._stopped.wait()
            message.set()
            return {"StatusCode": 0}

    launcher._container = Late(launcher._docker, id=launcher._launched.id)
    exit_seen = asyncio.ensure_future(
        launcher._watch._final_exit(launcher._launched, launcher._started_at)
    )
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await asked.wait()
    await launcher.stop()
    await message.wait()
    assert (await exit_seen).reason == "labgate stopped it"
    assert (await ended).reason == "labgate stopped it"


async def test_cancelled_while_waiting(place: Place) -> None:
    launcher = await place.launcher()
    await launcher.launch()
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await asyncio.sleep(0)
    ended.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended

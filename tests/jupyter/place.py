"""A place of its own on the Docker Engine for a test: containers, volumes, launchers."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from aiodocker.volumes import DockerVolume
from rich.console import Console

from proxy.config.jupyter_settings import JupyterSettings
from proxy.jupyter.container import Confirm, ContainerLauncher
from proxy.jupyter.container_spec import OURS_LABEL, SETTINGS_LABEL
from proxy.jupyter.engine import connect_engine
from proxy.jupyter.launcher import STOP_SECONDS, Launched
from proxy.jupyter.readiness import wait_until_ready
from tests.e2e.programs import free_port
from tests.engine_names import new_name

READY_SECONDS = 180.0
PAUSE_ATTEMPTS = 5
WORK = "/home/jovyan/work"
HOME = "/home/jovyan"
FIRST_TOKEN = "the-first-versions-token"


class Place:
    """A name of this test's own on the engine: containers, volumes, launchers.

    Args:
        docker: The engine.
        state_folder: labgate's.
        image: What containers are made from, unless their settings say other.
    """

    def __init__(self, docker: aiodocker.Docker, state_folder: Path, image: str) -> None:
        self.docker = docker
        self.image = image
        self.name = new_name()
        self.state_folder = state_folder
        self.launchers: list[ContainerLauncher] = []
        self.port = free_port()
        self.progress = io.StringIO()
        self.confirm: Confirm | None = None

    async def launcher(
        self, *, shared_volume: str = "", stop_seconds: int = STOP_SECONDS, **settings: Any
    ) -> ContainerLauncher:
        keys = {
            "image": self.image,
            "name": self.name,
            "volume": f"{self.name}:{WORK}",
            "launch": "docker",
            "port": self.port,
        }
        launcher = ContainerLauncher(
            JupyterSettings.model_validate(keys | settings),
            self.state_folder,
            await connect_engine(),
            Console(file=self.progress),
            self.confirm,
            stop_seconds=stop_seconds,
            shared_volume=shared_volume or f"{self.name}-shared",
        )
        self.launchers.append(launcher)
        return launcher

    async def launched(self, **settings: Any) -> tuple[ContainerLauncher, Launched]:
        """A container that runs; whether Jupyter in it answers is not waited for."""
        launcher = await self.launcher(**settings)
        return launcher, await launcher.launch()

    async def ready(self, **settings: Any) -> tuple[ContainerLauncher, Launched]:
        launcher, launched = await self.launched(**settings)
        await wait_until_ready(launcher, launched.address, READY_SECONDS)
        return launcher, launched

    async def by_hand(self, *, host_ip: str = "127.0.0.1", **host: Any) -> dict[str, Any]:
        """A container as somebody's docker run makes it; running."""
        body: dict[str, Any] = {
            "Image": self.image,
            "Cmd": ["start-notebook.py", "--IdentityProvider.token=byhand"],
            "HostConfig": {
                "PortBindings": {"8888/tcp": [{"HostIp": host_ip, "HostPort": str(self.port)}]},
                "Binds": [f"{self.name}:{WORK}"],
            }
            | host,
        }
        container = await self.docker.containers.create(body, name=self.name)
        await container.start()
        return await container.show()

    async def of_the_first_version(self, **host: Any) -> None:
        """Run a container as labgate's first version made it: only the work folder is mounted.

        But no Jupyter is in it, which would take its time to start and to stop.
        """
        body: dict[str, Any] = {
            "Image": self.image,
            "Cmd": ["sleep", "600"],
            "Env": [f"JUPYTER_TOKEN={FIRST_TOKEN}"],
            "User": "",
            "Labels": {OURS_LABEL: "1", SETTINGS_LABEL: "0123456789abcdef"},
            "ExposedPorts": {"8888/tcp": {}},
            "HostConfig": {
                "PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
                "Mounts": [{"Type": "volume", "Source": self.name, "Target": WORK}],
            }
            | host,
        }
        container = await self.docker.containers.create(body, name=self.name)
        await container.start()

    async def run(self, script: str, user: str = "", name: str = "") -> str:
        """What a shell script in the running container writes."""
        container = self.docker.containers.container(name or self.name)
        execution = await container.exec(["sh", "-ec", script], user=user)
        output = b""
        async with execution.start(detach=False) as stream:
            while (message := await stream.read_out()) is not None:
                output += message.data
        code = (await execution.inspect())["ExitCode"]
        assert code == 0, f"{script}: {output.decode()}"
        return output.decode("utf-8", "surrogateescape").strip()

    async def volumes(self) -> set[str]:
        """The volumes whose names begin with this test's."""
        found = await self.docker.volumes.list()  # type: ignore[no-untyped-call]
        names = {volume["Name"] for volume in found["Volumes"] or ()}
        return {name for name in names if name == self.name or name.startswith(f"{self.name}-")}

    async def inspect(self, name: str = "") -> dict[str, Any]:
        return await self.docker.containers.container(name or self.name).show()

    async def pause(self) -> None:
        """Pause the container; runc gives up where a program of it is slow to halt."""
        for _ in range(PAUSE_ATTEMPTS - 1):
            try:
                await self.docker.containers.container(self.name).pause()
            except aiodocker.DockerError as error:
                if "unable to freeze" not in error.message:
                    raise
            else:
                return
        await self.docker.containers.container(self.name).pause()

    async def all(self) -> dict[str, str]:
        """Name to state of every container of this test."""
        found = await self.docker.containers.list(all=1, filters=f'{{"name":["{self.name}"]}}')
        return {one["Names"][0].lstrip("/"): one["State"] for one in found}

    async def clean(self) -> None:
        for name in await self.all():
            with contextlib.suppress(aiodocker.DockerError):  # it may be on its way out
                await self.docker.containers.container(name).delete(force=True)
        # Only now: what is gone needs no time to end.
        for launcher in self.launchers:
            await launcher.stop()
        for name in await self.volumes():
            with contextlib.suppress(aiodocker.DockerError):
                volume = DockerVolume(self.docker, name)  # type: ignore[no-untyped-call]
                await volume.delete()  # type: ignore[no-untyped-call]


async def kill_all_in(container: DockerContainer) -> None:
    """A crash, as the engine sees it."""
    code = (
        "import os\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    if int(pid) not in (1, os.getpid()): os.kill(int(pid), 9)\n"
    )
    execution = await container.exec(["python3", "-c", code])
    async with execution.start(detach=False) as stream:
        while await stream.read_out() is not None:
            pass

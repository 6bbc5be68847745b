"""config/swarm on a swarm of one node: deployed, used in Chromium, the proxy replaced, removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.conftest import require
from tests.deployment.hub_images import built_hub_image, built_user_image
from tests.deployment.hub_users import NAMES, User, chromium, see_nothing_of, work
from tests.deployment.image import answers, docker
from tests.deployment.jupyterhub import PASSWORD
from tests.e2e.programs import ROOT, free_port, until
from tests.engine_names import new_name
from tests.hub.running import ask

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.docker,
    pytest.mark.jupyter,
    pytest.mark.jupyterhub,
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def swarm() -> Iterator[None]:
    """This machine as the only node of a swarm; an engine is in one swarm at most."""
    require(answers("version"), "no Docker Engine answers", "start dockerd")
    state = docker("info", "--format", "{{.Swarm.LocalNodeState}}")
    require(state == "inactive", "the engine is in a swarm", "docker swarm leave --force")
    bridge = answers("network", "inspect", "docker_gwbridge")
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        yield
    finally:
        docker("swarm", "leave", "--force")
        if not bridge:
            answers("network", "rm", "docker_gwbridge")


class Stack:
    """A deployed copy of config/swarm.

    Attributes:
        name: The stack's, which begins the names of all that belongs to it.
        port: The public one.
    """

    def __init__(self, folder: Path, images: dict[str, str]) -> None:
        self.name, self.port = new_name(), free_port()
        self._folder = folder
        self._environment = {
            **os.environ,
            **images,
            "STACK": self.name,
            "PUBLIC_PORT": str(self.port),
            "CONFIGPROXY_AUTH_TOKEN": os.urandom(16).hex(),
            "TRIAL_PASSWORD": PASSWORD,
        }
        for path in (ROOT / "config/swarm").iterdir():
            shutil.copy(path, folder)

    def deploy(self) -> None:
        """As README.md beside the stack says."""
        command = ["docker", "stack", "deploy", "--compose-file", "compose.yaml", self.name]
        deployed = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert deployed.returncode == 0, deployed.stderr
        until(self._ready, self.logs)

    def _ready(self) -> bool:
        try:
            return ask(self.port, "GET", "/hub/login").status == 200
        except OSError:
            return False

    def containers(self, service: str) -> list[str]:
        """The containers of a service that run."""
        label = f"label=com.docker.swarm.service.name={self.name}{service}"
        return docker("ps", "--quiet", "--filter", label).split()

    def logs(self) -> str:
        """What the services said."""
        return "\n".join(
            docker("service", "logs", "--raw", f"{self.name}_{service}")
            for service in ("hub", "proxy")
        )

    def remove(self) -> None:
        """With its users' servers, which the Hub has started, and every volume."""
        for service in docker("service", "ls", "--quiet", "--filter", f"name={self.name}").split():
            docker("service", "rm", service)
        until(
            lambda: not docker("ps", "--all", "--quiet", "--filter", f"name={self.name}"),
            "a container of the stack is still there",
        )
        docker("stack", "rm", self.name)
        for volume in docker("volume", "ls", "--quiet", "--filter", f"name={self.name}").split():
            until(lambda volume=volume: answers("volume", "rm", volume), f"{volume} is in use")  # type: ignore[misc]


@pytest.mark.usefixtures("swarm")
def test_the_stack(labgate_image: str, browser: Browser, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("user", "hub", "stack")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as undo:
        images = {
            "USER_IMAGE": undo.enter_context(built_user_image(folders[0])),
            "HUB_IMAGE": undo.enter_context(built_hub_image(folders[1])),
            "LABGATE_IMAGE": labgate_image,
        }
        stack = Stack(folders[2], images)
        undo.callback(stack.remove)
        stack.deploy()
        origin = f"http://127.0.0.1:{stack.port}"
        ada, bob = (User(browser, name, origin, origin) for name in NAMES)
        work([ada, bob])
        see_nothing_of(bob, ada)
        assert all(stack.containers(f"-user-{name}") for name in NAMES)

        # Another container, with the routes of the one before; the Hub is not asked.
        (before,) = stack.containers("_proxy")
        docker("service", "scale", "--detach", f"{stack.name}_hub=0")
        docker("service", "update", "--force", "--quiet", f"{stack.name}_proxy", timeout=120)
        assert before not in stack.containers("_proxy")
        for user in (ada, bob):
            user.dismiss_questions()
            user.use_kernel_again()
            user.use_terminal_again()
        docker("service", "scale", "--detach", f"{stack.name}_hub=1")
        until(lambda: ask(stack.port, "GET", "/hub/login").status == 200, stack.logs)
        assert all(stack.containers(f"-user-{name}") for name in NAMES), "the Hub ended one"

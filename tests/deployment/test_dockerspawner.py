"""A JupyterHub whose users have containers of the real engine, behind labgate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.deployment.hub_images import built_user_image
from tests.deployment.hub_users import NAMES, chromium, see_nothing_of, users_of, work
from tests.deployment.image import answers, docker
from tests.deployment.jupyterhub import JupyterHub, running_hub
from tests.engine_names import new_name

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.docker,
    pytest.mark.jupyter,
    pytest.mark.jupyterhub,
]

SPAWNER = """
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = {image!r}
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = {network!r}
c.DockerSpawner.name_template = "{network}-{{username}}"
c.DockerSpawner.remove = True
"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_two_users_have_a_container_each(
    jupyterhub: Path, browser: Browser, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        (tmp_path / "image").mkdir()
        image = stack.enter_context(built_user_image(tmp_path / "image"))
        network = new_name()
        docker("network", "create", network)
        stack.callback(answers, "network", "rm", network)
        for name in NAMES:
            stack.callback(answers, "rm", "--force", "--volumes", f"{network}-{name}")
        form = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
        # The containers reach the Hub, and nothing but them does.
        hub = JupyterHub(
            jupyterhub, tmp_path, hub_address=docker("network", "inspect", "-f", form, network)
        )
        hub.more.append(SPAWNER.format(image=image, network=network))
        stack.enter_context(running_hub(hub))
        ada, bob = users_of(hub, browser)
        work([ada, bob])
        see_nothing_of(bob, ada)
        named = docker("ps", "--filter", f"name={network}-", "--format", "{{.Names}}").split()
        assert sorted(named) == [f"{network}-{name}" for name in NAMES]

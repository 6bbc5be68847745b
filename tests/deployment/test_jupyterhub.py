"""A JupyterHub that starts labgate itself: the one line that the documents give.

Users work in Chromium, by path and without TLS. The programs are in jupyterhub.py, what users do
is in hub_users.py; test_jupyterhub_apart.py has the other kinds of Hub.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.deployment.hub_users import User, chromium, local_hub, see_nothing_of, users_of, work
from tests.deployment.jupyterhub import JupyterHub, running_hub
from tests.e2e.programs import until

pytestmark = [pytest.mark.chromium, pytest.mark.jupyter, pytest.mark.deployment]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def hub(jupyterhub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterHub]:
    hub = local_hub(jupyterhub, tmp_path_factory.mktemp("hub"))
    # How often the Hub asks for the activity of its users, and whether the proxy runs.
    hub.more.append("c.JupyterHub.last_activity_interval = 2")
    hub.more.append("c.ConfigurableHTTPProxy.check_running_interval = 1")
    with running_hub(hub) as running:
        yield running


@pytest.fixture(scope="module")
def users(hub: JupyterHub, browser: Browser) -> tuple[User, User]:
    """Each with a notebook, in which a cell was run, and a terminal."""
    users = users_of(hub, browser)
    work(users)
    return users


def test_nobody_is_let_into_the_server_of_another(users: tuple[User, User]) -> None:
    ada, bob = users
    see_nothing_of(bob, ada)


def test_pages_go_on_when_the_hub_has_restarted_the_proxy(
    hub: JupyterHub, users: tuple[User, User]
) -> None:
    before = hub.proxy_pid
    os.kill(before, signal.SIGTERM)
    until(lambda: hub.proxy_pid not in (0, before), lambda: hub.log)
    for user in users:
        user.dismiss_questions()
    for user in users:
        user.use_kernel_again()
        user.use_terminal_again()


def test_the_culler_stops_the_server_of_who_has_left(
    hub: JupyterHub, users: tuple[User, User]
) -> None:
    """The Hub hears of the activity from the proxy: servers tell theirs every five minutes."""
    ada, bob = users
    assert hub.servers() == {"ada", "bob"}
    bob.leave()
    culler = subprocess.Popen(
        [
            *(hub.programs / "python", "-m", "jupyterhub_idle_culler"),
            *("--timeout=15", "--cull-every=2", f"--url=http://127.0.0.1:{hub.port}/hub/api"),
        ],
        env={**hub.environment, "JUPYTERHUB_API_TOKEN": hub.token},
    )
    try:
        until(lambda: "bob" not in hub.servers(), lambda: hub.log)
        assert hub.servers() == {"ada"}
        ada.use_kernel_again("alone")
    finally:
        culler.kill()
        culler.wait(30)

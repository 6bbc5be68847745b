"""A JupyterHub beside labgate (``should_start = False``), and the other documented kinds of Hub."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.deployment.external_proxy import running_apart
from tests.deployment.hub_users import chromium, local_hub, see_nothing_of, users_of, work
from tests.deployment.jupyterhub import Kind, running_hub

pytestmark = [pytest.mark.chromium, pytest.mark.jupyter]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.deployment
def test_a_proxy_that_crashed_needs_no_hub_to_go_on(
    jupyterhub: Path, browser: Browser, tmp_path: Path
) -> None:
    """By subdomain, with TLS towards browsers and between all programs."""
    hub = local_hub(jupyterhub, tmp_path, Kind(by_host=True, public_tls=True, internal_tls=True))
    with running_apart(hub) as proxy:
        ada, bob = users_of(hub, browser)
        work([ada, bob])
        see_nothing_of(bob, ada)
        assert hub.process is not None
        hub.process.send_signal(signal.SIGSTOP)
        proxy.kill()
        proxy.start()
        for user in (ada, bob):
            user.dismiss_questions()
        for user in (ada, bob):
            user.use_kernel_again()
            user.use_terminal_again()


@pytest.mark.jupyterhub
@pytest.mark.parametrize(
    "kind",
    [Kind(by_host=True), Kind(internal_tls=True), Kind(by_host=True, internal_tls=True)],
    ids=["host", "tls", "host-tls"],
)
def test_the_other_kinds_of_hub(
    jupyterhub: Path, browser: Browser, tmp_path: Path, kind: Kind
) -> None:
    hub = local_hub(jupyterhub, tmp_path, kind)
    with running_hub(hub):
        ada, bob = users_of(hub, browser)
        work([ada, bob])
        see_nothing_of(bob, ada)

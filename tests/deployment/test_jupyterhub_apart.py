"""A JupyterHub beside labgate (``should_start = False``), and the other documented kinds of Hub."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response

from tests.deployment.external_proxy import ExternalProxy, running_apart
from tests.deployment.hub_users import User, chromium, local_hub, see_nothing_of, users_of, work
from tests.deployment.jupyterhub import Kind, running_hub
from tests.e2e.programs import until

pytestmark = [pytest.mark.chromium, pytest.mark.jupyter]

METHODS = ("GET", "POST")
REFUSED = re.compile(r"refused 403 by rule .*; (\w+) /user/bob/api/(\w+)")
FETCH = """async ([method, url]) => {
    await fetch(url, {method, mode: "no-cors", credentials: "include"});
    return true;
}"""
OPEN_WEBSOCKET = """url => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def proxy(jupyterhub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalProxy]:
    """By subdomain, with TLS towards browsers and between all programs, and checks at the edge."""
    hub = local_hub(
        jupyterhub,
        tmp_path_factory.mktemp("apart"),
        Kind(by_host=True, public_tls=True, internal_tls=True),
    )
    with running_apart(hub, "--public-origin", hub.url()) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def users(proxy: ExternalProxy, browser: Browser) -> tuple[User, User]:
    """Each with a notebook, in which a cell was run, and a terminal."""
    users = users_of(proxy.hub, browser)
    work(users)
    return users


@pytest.mark.deployment
def test_nobody_is_let_into_the_server_of_another(users: tuple[User, User]) -> None:
    ada, bob = users
    see_nothing_of(bob, ada)


@pytest.mark.deployment
def test_a_page_at_one_users_name_reaches_no_server_at_anothers(
    proxy: ExternalProxy, users: tuple[User, User]
) -> None:
    """Whatever is on Ada's page, her notebooks included, and whoever looks at it."""
    ada, bob = users
    answers: list[tuple[str, int]] = []

    def note(answer: Response) -> None:
        if answer.url.startswith(bob.server):
            answers.append((answer.request.method, answer.status))

    ada.page.on("response", note)
    assert all(ada.page.evaluate(FETCH, [one, f"{bob.server}/api/terminals"]) for one in METHODS)
    assert answers == [(method, 403) for method in METHODS]
    where = f"{bob.server.replace('https', 'wss')}/api/events/subscribe"
    assert ada.page.evaluate(OPEN_WEBSOCKET, where) == "refused"
    # Jupyter would have refused some of it, too, but was not asked.
    expected = [*((method, "terminals") for method in METHODS), ("GET", "events")]
    until(lambda: REFUSED.findall(proxy.log) == expected, lambda: proxy.log)
    ada.page.remove_listener("response", note)


@pytest.mark.deployment
def test_an_upgrade_interrupts_nobody(proxy: ExternalProxy, users: tuple[User, User]) -> None:
    for user in users:
        user.lost.clear()
    proxy.upgrade()
    for user in users:
        user.use_kernel_again("upgraded")
        user.use_terminal_again("upgraded")
        assert user.is_undisturbed(), user.lost


@pytest.mark.deployment
def test_a_proxy_that_crashed_needs_no_hub_to_go_on(
    proxy: ExternalProxy, users: tuple[User, User]
) -> None:
    assert proxy.hub.process is not None
    proxy.hub.process.send_signal(signal.SIGSTOP)
    proxy.kill()
    proxy.start()
    for user in users:
        user.dismiss_questions()
    for user in users:
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

"""Two real JupyterLabs behind one labgate: one by a path, one by a name of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from proxy.admin.socket_path import socket_path
from tests.e2e.programs import ROOT, TOKEN, Jupyter, Labgate, until
from tests.e2e.test_reload import jupyter

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab"),
]


class Routes:
    """Ada's Jupyter below ``/ada/``, Bob's on a Unix socket at ``bob.localhost``."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        for name in ("ada", "bob"):
            (folder / name).mkdir()
        self.ada = Jupyter(folder / "ada", "--ServerApp.base_url=/ada")
        self.ada.base_url = "/ada/"
        self.bob = Jupyter(folder / "bob", sock=sockets / "bob")
        self.file = folder / "labgate.toml"
        self.labgate = Labgate(folder, "serve", "--config", str(self.file))
        self.write()

    def write(self, more: str = "") -> None:
        port = self.labgate.https_port
        self.file.write_text(
            f'[site]\ndomains = ["localhost:{port}"]\n'
            f'[[routes]]\npath = "/ada"\nupstream = "{self.ada.upstream}"\n'
            f'[[routes]]\ndomains = ["bob.localhost:{port}"]\nupstream = "{self.bob.upstream}"\n'
            + more
        )

    @property
    def bob_origin(self) -> str:
        return self.labgate.origin.replace("localhost", "bob.localhost")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of labgate's, with the same file."""
        ports = ["--https-port", str(self.labgate.https_port)]
        ports += ["--http-port", str(self.labgate.http_port)]
        more = ports if arguments[0] == "check" else []
        return subprocess.run(
            [sys.executable, "-m", "proxy", *arguments, "--config", str(self.file), *more],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **self.labgate.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routes]:
    folder = tmp_path_factory.mktemp("routes")
    made = Routes(folder, tmp_path_factory.mktemp("s"))
    with ExitStack() as stack:
        for program in (made.ada, made.bob):
            program.spawn()
            stack.callback(program.kill)
        for program in (made.ada, made.bob):
            until(program.ready, lambda: f"{made.ada.log}\n{made.bob.log}")
        stack.enter_context(made.labgate)
        yield made


def test_every_route_is_named_at_the_start_by_check_and_by_status(routes: Routes) -> None:
    origin, bob = routes.labgate.origin, routes.bob_origin
    ada_leads = f"{origin}/ada/ leads to {routes.ada.upstream}/ada"
    bob_leads = f"{bob}/ leads to {routes.bob.upstream}"
    assert routes.labgate.facts["route"] == f"{ada_leads}; {bob_leads}"
    checked = routes.run("check")
    assert checked.returncode == 0, checked.stdout
    assert f"✓ Route         {ada_leads}, which answers." in checked.stdout
    assert f"✓ Route         {bob_leads}, which answers." in checked.stdout
    until(socket_path(routes.labgate.authority.parent).exists, "no admin socket")
    status = json.loads(routes.run("status", "--json").stdout)
    assert [(one["address"], one["state"]) for one in status["routes"]] == [
        (f"{origin}/ada/", "answers"),
        (f"{bob}/", "answers"),
    ]
    assert status["addresses"] == [origin, bob]
    assert status["certificates"][0]["names"] == ["localhost", "bob.localhost"]


def test_each_jupyter_answers_at_its_own_address(routes: Routes) -> None:
    ask, bob = routes.labgate.ask, routes.bob_origin.removeprefix("https://")
    token = f"token {TOKEN}"
    assert ask("GET", "/ada/api/status", Authorization=token).status == 200
    assert ask("GET", "/api/status", Authorization=token, Host=bob).status == 200
    assert ask("GET", "/api/status", Authorization=token).status == 404
    assert ask("GET", "/ada").fields["Location"] == f"{routes.labgate.origin}/ada/"
    own, other = routes.bob_origin, routes.labgate.origin
    assert ask("GET", "/api/status", Authorization=token, Host=bob, Origin=own).status == 200
    assert ask("GET", "/api/status", Authorization=token, Host=bob, Origin=other).status == 403


def log_in(page: Page, address: str) -> None:
    page.goto(f"{address}lab?reset")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.fill("#password_input", TOKEN)
    page.click("#login_submit")
    expect(page.locator("#jp-MainLogo")).to_be_visible()


@pytest.mark.chromium
def test_two_labs_in_one_browser_and_neither_page_reaches_the_other_name(
    routes: Routes, context: BrowserContext
) -> None:
    ada, bob = context.new_page(), context.new_page()
    for page, address in ((ada, f"{routes.labgate.origin}/ada/"), (bob, f"{routes.bob_origin}/")):
        log_in(page, address)
        # A terminal is a WebSocket to this Jupyter.
        page.locator('.jp-LauncherCard[title="Start a new terminal session"]').click()
        expect(page.locator(".jp-Terminal .xterm-accessibility")).to_contain_text(
            re.compile(r"[$#]")
        )
    terminals = routes.labgate.origin.replace("https", "wss") + "/ada/terminals/websocket/1"
    opened = """address => new Promise(done => {
        const socket = new WebSocket(address);
        socket.onopen = () => done(true);
        socket.onerror = () => done(false);
    })"""
    assert ada.evaluate(opened, terminals)
    assert not bob.evaluate(opened, terminals)
    refused = f"refused (origin): Origin '{routes.bob_origin}'"
    until(lambda: refused in routes.labgate.log, lambda: routes.labgate.log)
    # A page that posts with the other's cookies is refused too, before its Jupyter sees it.
    bob.evaluate(
        "address => fetch(address, {method: 'POST', mode: 'no-cors', credentials: 'include'})",
        f"{routes.labgate.origin}/ada/api/terminals",
    )
    posted = re.compile(r'"POST /ada/api/terminals( HTTP/2)?" 403 0 0')
    until(lambda: posted.search(routes.labgate.log), lambda: routes.labgate.log)


def test_all_workers_have_the_routes_of_a_reload(tmp_path: Path) -> None:
    with jupyter("ada's") as ada, jupyter("bob's") as bob:
        file = tmp_path / "labgate.toml"
        labgate = Labgate(tmp_path, "serve", "--config", str(file), "--workers", "2")
        port = labgate.https_port

        def write(*more: str) -> None:
            first = f'[[routes]]\ndomains = ["localhost:{port}"]\nupstream = "{ada}"\n'
            file.write_text(first + "".join(more))

        def bodies(host: str) -> set[bytes]:
            """Of enough connections that both workers have some."""
            return {labgate.ask("GET", "/", Host=host).body for _ in range(12)}

        write()
        with labgate:
            assert bodies(f"localhost:{port}") == {b"ada's"}
            new = f"bob.localhost:{port}"
            write(f'[[routes]]\ndomains = ["{new}"]\nupstream = "{bob}"\n')
            labgate.running.send_signal(signal.SIGHUP)
            leads = f"https://{new}/ now leads to {bob}."
            until(lambda: leads in labgate.log, lambda: labgate.log)
            # The workers are told at once, and say nothing back.
            until(lambda: bodies(new) == {b"bob's"}, lambda: labgate.log)
            assert bodies(f"localhost:{port}") == {b"ada's"}

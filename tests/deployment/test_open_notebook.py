"""An open notebook and a load of requests, while the service changes in every way it can.

The machine has a real systemd, Jupyter is a container beside it, and Chromium looks at both from
outside, as somebody at home does. -rP prints what was lost in each step.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trustme
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect, sync_playwright

from tests.conftest import PULL_TEST_IMAGE, TEST_IMAGE, require
from tests.deployment.image import answers as succeeds
from tests.deployment.machine import Machine
from tests.deployment.test_service import installed, started, status
from tests.deployment.test_service_changes import change
from tests.e2e.conftest import FLAGS, PATIENCE_MS, STEADY_CHROMIUM, shoot
from tests.e2e.containers import docker, inspect
from tests.e2e.programs import LAB_SETTINGS, TOKEN, until
from tests.e2e.steady_load import KEPT, NEW, SteadyLoad
from tests.e2e.test_lab import NOTEBOOK, type_and_run
from tests.engine_names import new_name

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.docker,
    pytest.mark.systemd,
    pytest.mark.chromium,
]

DOMAIN = "lab.example.org"
ORIGIN = f"https://{DOMAIN}"
SOME_REQUESTS = 30
SEVERAL = 8
"""Connections, so that each worker has some of them."""
CUT = re.compile("RemoteDisconnected|ConnectionReset|BrokenPipe|SSLEOFError")
WRITE = 'mkdir -p "$(dirname "$1")" && cat >"$1"'


@pytest.fixture
def jupyter() -> Iterator[str]:
    """The address of a JupyterLab in a container of its own."""
    require(succeeds("image", "inspect", TEST_IMAGE), f"no image {TEST_IMAGE}", PULL_TEST_IMAGE)
    name = new_name()
    command = ("start-notebook.py", f"--IdentityProvider.token={TOKEN}")
    docker("run", "--detach", "--name", name, TEST_IMAGE, *command)
    files = {f".jupyter/lab/user-settings/{path}": said for path, said in LAB_SETTINGS.items()}
    try:
        for path, content in {"story.ipynb": json.dumps(NOTEBOOK), **files}.items():
            subprocess.run(
                ["docker", "exec", "--interactive", name, "sh", "-c", WRITE, "sh", path],
                input=content,
                text=True,
                timeout=60,
                check=True,
            )
        yield f"http://{inspect(name, '{{.NetworkSettings.IPAddress}}')}:8888"
    finally:
        docker("rm", "--force", "--volumes", name)


class Connection(http.client.HTTPSConnection):
    """To the machine under its domain."""

    def __init__(self, port: int) -> None:
        super().__init__(DOMAIN, timeout=60)
        self._published = port
        self._trusting = ssl.create_default_context()
        self._trusting.check_hostname = False
        self._trusting.verify_mode = ssl.CERT_NONE

    def connect(self) -> None:
        """Open it at the port that the engine has published."""
        opened = socket.create_connection(("127.0.0.1", self._published), 60)
        self.sock = self._trusting.wrap_socket(opened, server_hostname=DOMAIN)


class Lab:
    """JupyterLab in Chromium with a notebook and a terminal, and a load beside it."""

    def __init__(self, page: Page, machine: Machine) -> None:
        self._page = page
        self._port = machine.port(443)
        self._open: set[WebSocket] = set()
        self._lost: list[str] = []
        self._number = 0
        page.on("websocket", self._count)

    def _count(self, opened: WebSocket) -> None:
        self._open.add(opened)
        opened.on("close", self._count_lost)

    def _count_lost(self, closed: WebSocket) -> None:
        self._open.discard(closed)
        self._lost.append(closed.url)

    def load(self, *, again: bool = False) -> SteadyLoad:
        """Requests that Jupyter answers, over kept and new connections.

        Args:
            again: As a browser, aiohttp's client or urllib3 asks: only over kept connections, and
                once more where one closes without a response (RFC 9110, section 9.2.2).
        """
        kept, new = (SEVERAL, 0) if again else (KEPT, NEW)
        return SteadyLoad(lambda: Connection(self._port), "/api", kept=kept, new=new, again=again)

    def open(self) -> None:
        """A terminal, and the notebook with a variable."""
        self._page.goto(f"{ORIGIN}/lab?reset&token={TOKEN}")
        self._page.locator('.jp-LauncherCard[title="Start a new terminal session"]').click()
        expect(self._terminal).to_contain_text(re.compile(r"[$#]"))
        self._page.locator(".jp-DirListing-item", has_text="story.ipynb").dblclick()
        expect(self._page.get_by_text(re.compile(r"\| Idle$"))).to_be_visible()
        type_and_run(self._page, "kept = 6 * 7")
        self._type_into_terminal("kept=42")
        self.works()

    def works(self) -> None:
        """The variable is still there, and the terminal too, without a word of Lab's."""
        self._number += 1
        self._tab("story.ipynb").click()
        type_and_run(self._page, f"print({self._number}, 'kept', kept)")
        expect(self._page.get_by_text(f"{self._number} kept 42", exact=True)).to_be_visible()
        self._type_into_terminal(f"echo {self._number}-kept-$kept")
        expect(self._terminal).to_contain_text(f"{self._number}-kept-42")
        assert self._page.locator(".jp-Dialog").count() == 0

    @contextmanager
    def counted(self, step: str, *, again: bool = False) -> Iterator[SteadyLoad]:
        """What a step costs those who are there; ``again`` is of ``load``."""
        self._lost.clear()
        before = len(self._open)
        with self.load(again=again) as load:
            load.wait_for(SOME_REQUESTS)
            yield load
            load.wait_for(SOME_REQUESTS)
        self.works()
        sent = load.answered + len(load.lost)
        counts = (
            f"{sent} requests, {len(load.lost)} failed; {before} WebSockets, {len(self._lost)} lost"
        )
        print(f"{step}: {counts}", *load.lost, *self._lost, sep="\n  ")

    @property
    def lost_websockets(self) -> int:
        """Since the beginning of the last step."""
        return len(self._lost)

    @property
    def _terminal(self) -> Locator:
        return self._page.locator(".jp-Terminal .xterm-accessibility")

    def _tab(self, name: str) -> Locator:
        """The terminal is called after its folder once its shell has begun."""
        return self._page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=name)

    def _type_into_terminal(self, line: str) -> None:
        self._tab("Terminal").click()
        self._page.locator(".jp-Terminal .xterm-screen").click()
        self._page.keyboard.type(line)
        self._page.keyboard.press("Enter")


def issue(machine: Machine) -> None:
    """A certificate, in the place of the one before."""
    leaf = trustme.CA().issue_cert(DOMAIN)
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems).decode()
    machine.run("mkdir", "-p", "/etc/keys")
    machine.write("/etc/keys/privkey.pem", leaf.private_key_pem.bytes().decode())
    machine.write("/etc/keys/fullchain.pem", chain)


@contextmanager
def chromium(port: int) -> Iterator[Browser]:
    rules = f"--host-resolver-rules=MAP {DOMAIN}:443 127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=STEADY_CHROMIUM, args=[*FLAGS, rules])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def lab(machine: Machine, jupyter: str) -> Iterator[Lab]:
    issue(machine)
    pair = ("--cert", "/etc/keys/fullchain.pem", "--key", "/etc/keys/privkey.pem")
    where = ("--domain", DOMAIN, "--bind", "0.0.0.0", "--workers", "2")
    installed(machine, "--upstream", jupyter, *where, *pair)
    started(machine, "labgate.socket", "labgate.service")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium(machine.port(443)))
        context = browser.new_context(
            ignore_https_errors=True, viewport={"width": 1280, "height": 800}
        )
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        stack.callback(shoot, page, "open-notebook")
        lab = Lab(page, machine)
        lab.open()
        yield lab


def test_what_is_lost(lab: Lab, machine: Machine) -> None:
    with lab.counted("reload") as load:
        machine.run("systemctl", "reload", "labgate")
    assert (load.lost, lab.lost_websockets) == ([], 0)

    with lab.counted("certificate change") as load:
        issue(machine)
        machine.run("systemctl", "reload", "labgate")
    assert (load.lost, lab.lost_websockets) == ([], 0)

    with lab.counted("configuration change") as load:
        change(machine, "limits", "keep_alive_seconds = 70")
        change(machine, "access", "login_failures = 7")
        machine.run("systemctl", "reload", "labgate")
    assert (load.lost, lab.lost_websockets) == ([], 0)

    with lab.counted("restart with labgate.socket") as load:
        machine.run("systemctl", "restart", "labgate")
    assert load.lost == []

    with lab.counted("upgrade") as load:
        machine.run("labgate", "upgrade")
    assert (load.lost, lab.lost_websockets) == ([], 0)

    machine.run("systemctl", "restart", "labgate")
    lab.works()
    with lab.load() as once, lab.counted("death of a worker", again=True) as load:
        once.wait_for(SOME_REQUESTS)
        workers = [one for one in status(machine)["processes"] if one["role"] == "worker"]
        busiest = max(workers, key=lambda one: int(one["websockets"]))
        machine.run("sh", "-c", f"kill -KILL {busiest['pid']}")
        with lab.load() as later:
            later.wait_for(SOME_REQUESTS)
        until(lambda: len(status(machine)["processes"]) == 3, machine.journal)
    print(f"  of clients that never ask again: {once.answered} answered", *once.lost, sep="\n  ")
    assert load.lost == []
    assert later.lost == []
    # What it was answering, one for each connection at most, and nothing of what came since.
    assert len(once.lost) <= KEPT + NEW
    assert all(CUT.search(one) for one in once.lost), once.lost

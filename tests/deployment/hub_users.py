"""Users of a JupyterHub, each in a Chromium of their own: a notebook and a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from playwright.sync_api import Browser, Locator, Page, WebSocket, expect, sync_playwright

from tests.conftest import require
from tests.deployment.jupyterhub import NAME, PASSWORD, PLAIN, JupyterHub, Kind
from tests.e2e.conftest import FLAGS, STEADY_CHROMIUM, shoot
from tests.e2e.steady_chromium import CHROMIUM
from tests.e2e.test_lab import NOTEBOOK, run_cell, status, type_and_run

NAMES = ("ada", "bob")
PATIENCE_MS = 120_000
RETRY_MS = 2_000
WORK = "work.ipynb"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "terminal-extension/plugin": {"screenReaderMode": True},
}
"""No question about news in the way, terminals that can be read."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for which the Hub's name and all below it are this machine."""
    require(Path(CHROMIUM).exists(), "no Chromium", "apt-get install chromium")
    names = f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP *.{NAME} 127.0.0.1"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=STEADY_CHROMIUM, args=[*FLAGS, names])
        yield browser
        browser.close()


def local_hub(programs: Path, folder: Path, kind: Kind = PLAIN) -> JupyterHub:
    """A Hub whose users' servers are processes of this machine, with a home each."""
    hub = JupyterHub(programs, folder, kind)
    hub.use_local_spawner()
    for user in NAMES:
        home = folder / "home" / user
        home.mkdir(parents=True)
        (home / WORK).write_text(json.dumps(NOTEBOOK))
    for name, said in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said))
    return hub


class User:
    """A user and their page.

    Attributes:
        name: Also the Hub's name for them.
        page: Where they work.
        origin: That of their server.
        server: The address of their server.
        lost: The addresses of the page's WebSockets to the server that were closed.

    Args:
        browser: Any; the user gets cookies of their own in it.
        name: A name that no other test's user of this Hub has.
        hub: The origin of the Hub.
        server: The origin of the user's server.
    """

    def __init__(self, browser: Browser, name: str, hub: str, server: str) -> None:
        # Whether the certificate is trusted is not what is tested here.
        context = browser.new_context(
            ignore_https_errors=True, viewport={"width": 1280, "height": 800}
        )
        context.set_default_timeout(PATIENCE_MS)
        self.name, self.page = name, context.new_page()
        self._hub, self.origin, self.server = hub, server, f"{server}/user/{name}"
        self.lost: list[str] = []
        self.page.on("websocket", lambda opened: opened.on("close", self._note_lost))

    def _note_lost(self, closed: WebSocket) -> None:
        if closed.url.partition("://")[2].startswith(self.server.partition("://")[2]):
            self.lost.append(closed.url)

    def log_in(self) -> None:
        """By the Hub's form; the Hub begins to start the server."""
        self.page.goto(f"{self._hub}/hub/login")
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", PASSWORD)
        self.page.click("#login_submit")
        expect(self.page).not_to_have_url(re.compile("/hub/login"))

    def open_notebook(self) -> None:
        """Wait for the server as the Hub's page does, and open the notebook."""
        at_server = re.compile(re.escape(self.server) + "/lab")
        expect(self.page).to_have_url(at_server)
        self.page.goto(f"{self.server}/lab/tree/{WORK}?reset")
        expect(status(self.page, "Idle")).to_be_visible()

    def use_notebook(self) -> None:
        """Run a cell, which leaves ``kept`` in the kernel."""
        run_cell(self.page, f"kept = 41; print('{self.name} has', kept)")
        expect(self.page.get_by_text(f"{self.name} has 41", exact=True)).to_be_visible()

    def use_kernel_again(self, word: str = "again") -> None:
        """After a cut: the page has the same kernel again, and nobody reloads it."""
        self.page.locator(".lm-TabBar-tabLabel", has_text=WORK).click()
        # Lab has no news of the kernel's state until it works again.
        expect(status(self.page, "Idle|Unknown")).to_be_visible()
        type_and_run(self.page, f"print('{word}', kept + 1)")
        expect(self.page.get_by_text(f"{word} 42", exact=True)).to_be_visible()

    def is_undisturbed(self) -> bool:
        """Whether Lab has asked nothing, and no WebSocket was closed since ``lost`` was emptied."""
        return self.page.locator(".jp-Dialog").count() == 0 and not self.lost

    def dismiss_questions(self) -> None:
        """From now on close what Lab shows because the proxy was away for a moment.

        When a request got no answer, or the Hub's answer because the new proxy had no routes yet,
        Lab takes it for the end of the server, and asks whether to start it anew; its file browser
        says that the folder was not found.
        """
        buttons = self.page.locator(".jp-Dialog button")
        closing = buttons.filter(has_text=re.compile(r"^\s*(Dismiss|Close|Ok)\s*$"))
        # Another one may follow at once, so nobody waits until all are gone.
        self.page.add_locator_handler(
            closing.first, lambda found: found.click(), no_wait_after=True
        )

    def open_terminal(self) -> None:
        """In a tab beside the notebook."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+Shift+L")
        self.page.locator('.jp-LauncherCard[title="Start a new terminal session"]').click()
        expect(_terminal(self.page)).to_contain_text(re.compile(r"[$#]"))

    def use_terminal(self, word: str) -> None:
        """Run a command there."""
        self._type_in_terminal(word)
        expect(_terminal(self.page)).to_contain_text(f"{word}-42-{self.name}")

    def use_terminal_again(self, word: str = "again") -> None:
        """After a cut: the same shell, once Lab has connected to it; until then keys are lost."""
        # A shell may give its tab any name.
        tabs = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab")
        tabs.filter(has_not_text=WORK).click()
        deadline = monotonic() + PATIENCE_MS / 1000
        while True:
            self._type_in_terminal(word)
            try:
                expect(_terminal(self.page)).to_contain_text(
                    f"{word}-42-{self.name}", timeout=RETRY_MS
                )
            except AssertionError:
                if monotonic() > deadline:
                    raise
                self.page.keyboard.press("Control+C")
            else:
                break

    def _type_in_terminal(self, word: str) -> None:
        self.page.locator(".jp-Terminal .xterm-screen").click()
        self.page.keyboard.type(f"echo {word}-$((40 + 2))-{self.name}")
        self.page.keyboard.press("Enter")

    def shoot(self, name: str) -> None:
        """A picture for people."""
        shoot(self.page, f"hub-{name}-{self.name}")

    def leave(self) -> None:
        """Close the browser."""
        self.page.context.close()


def users_of(hub: JupyterHub, browser: Browser) -> tuple[User, User]:
    """Ada and Bob, each at a browser without cookies."""
    ada, bob = (User(browser, name, hub.url(), hub.url(name)) for name in NAMES)
    return ada, bob


def _terminal(page: Page) -> Locator:
    return page.locator(".jp-Terminal .xterm-accessibility")


def work(users: Sequence[User]) -> None:
    """All log in, then each runs a cell and a command."""
    for user in users:
        user.log_in()
    for user in users:
        user.open_notebook()
        user.use_notebook()
        user.open_terminal()
        user.use_terminal("first")
        user.shoot("works")


def see_nothing_of(user: User, other: User) -> None:
    """The Hub lets nobody into another's server, whose routes are the same proxy's."""
    page = user.page.context.new_page()
    answer = page.goto(f"{other.server}/lab")
    assert answer is not None
    assert answer.status == 403, page.content()
    page.close()

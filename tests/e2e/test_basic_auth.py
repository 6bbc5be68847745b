"""labgate's own password in front of a real JupyterLab, and the brake on guessing Jupyter's."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from proxy.config.password_hash import hash_passphrase
from tests.e2e.conftest import PATIENCE_MS, shoot
from tests.e2e.programs import PASSWORD, ROOT, TOKEN, Jupyter, Labgate, until

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

OURS = "a password of labgate's"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NOTEBOOK = {"cells": [], "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}
BASIC = "Basic " + base64.b64encode(f"ada:{OURS}".encode()).decode()


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    """The file, made as people make it."""
    file = tmp_path / "htpasswd"
    with file.open("wb") as out:
        file.chmod(0o600)
        command = [sys.executable, "-m", "proxy", "password", "--htpasswd", "ada"]
        subprocess.run(command, cwd=ROOT, input=f"{OURS}\n".encode(), stdout=out, check=True)
    return file


@pytest.fixture
def knowing_page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of somebody who types the password when the browser asks."""
    context = browser.new_context(
        ignore_https_errors=True,
        viewport={"width": 1280, "height": 800},
        http_credentials={"username": "ada", "password": OURS},
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    yield page
    context.close()


@pytest.mark.chromium
def test_lab_behind_a_password(knowing_page: Page, htpasswd: Path, tmp_path: Path) -> None:
    page = knowing_page
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with (
        Jupyter(tmp_path) as jupyter,
        Labgate(
            tmp_path, "serve", "--upstream", jupyter.upstream, "--htpasswd", str(htpasswd)
        ) as labgate,
    ):
        (jupyter.work / "n.ipynb").write_text(json.dumps(NOTEBOOK))
        assert labgate.ask("GET", f"/lab?token={TOKEN}").status == 401
        page.goto(f"{labgate.origin}/lab/tree/n.ipynb?token={TOKEN}")
        expect(page.get_by_text(re.compile(r"\| Idle$"))).to_be_visible()
        cell = page.locator(".jp-Notebook .jp-Cell .cm-content").last
        cell.click()
        page.keyboard.type("print('the answer is', 6 * 7)")
        page.keyboard.press("Shift+Enter")
        expect(page.get_by_text("the answer is 42")).to_be_visible()
        shoot(page, "basic-auth")
        assert any("/api/kernels/" in url for url in sockets)

        cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
        ours = cookies["__Host-labgate"]
        assert (ours["secure"], ours["httpOnly"], ours["sameSite"]) == (True, True, "Lax")
        # What the page asks with Jupyter's token is let in by the cookie alone.
        asked = page.evaluate(
            "token => fetch('/api/contents', {headers: {Authorization: 'token ' + token}})"
            ".then(answer => answer.status)",
            TOKEN,
        )
        assert asked == 200

        # The key is kept: an open page survives a restart.
        labgate.stop()
        labgate.start()
        cookie = f"__Host-labgate={ours['value']}"
        assert labgate.ask("GET", f"/api/contents?token={TOKEN}", Cookie=cookie).status == 200
        refused = [line for line in labgate.log.splitlines() if "lockout" in line]
        assert not refused


def session_of(context: BrowserContext) -> str:
    """The session a browser has; empty for none."""
    held = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    return held.get("__Host-labgate", "")


@pytest.mark.chromium
def test_logging_out_in_a_browser(browser: Browser, htpasswd: Path, tmp_path: Path) -> None:
    """The button ends the session, and the browser forgets the password it would come back with."""
    with (
        Jupyter(tmp_path) as jupyter,
        Labgate(
            tmp_path, "serve", "--upstream", jupyter.upstream, "--htpasswd", str(htpasswd)
        ) as labgate,
    ):
        context = browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        # As if it had been typed into the browser's own window, which then keeps it.
        authority = labgate.origin.removeprefix("https://")
        page.goto(f"https://ada:{quote(OURS)}@{authority}/login")
        ours = session_of(context)
        # Without the cookie it would come back in by itself.
        context.clear_cookies(name="__Host-labgate")
        page.goto(f"{labgate.origin}/login")
        assert session_of(context) not in ("", ours)
        copied = session_of(context)
        page.goto(f"{labgate.origin}/.labgate/logout")
        shoot(page, "logout")
        page.get_by_role("button", name="Log out").click()
        until(lambda: not session_of(context), lambda: labgate.log)
        # Without a window to ask for a password in, Chromium shows an error of its own for a 401.
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            page.goto(f"{labgate.origin}/login")
        copy = f"__Host-labgate={copied}"
        assert labgate.ask("GET", "/login", Cookie=copy).status == 401
        assert "basic-auth: ada logged out from" in labgate.log
        context.close()


@pytest.mark.deployment
def test_guessing_jupyters_password(htpasswd: Path, tmp_path: Path) -> None:
    with (
        Jupyter(tmp_path, hashed_password=hash_passphrase(PASSWORD)) as jupyter,
        Labgate(
            tmp_path,
            *("serve", "--upstream", jupyter.upstream, "--htpasswd", str(htpasswd)),
            environment={"LABGATE_ACCESS__LOGIN_FAILURES": "3"},
        ) as labgate,
    ):
        page = labgate.ask("GET", "/login", Authorization=BASIC)
        assert page.status == 200
        cookies = [value.partition(";")[0] for value in page.fields.get_all("Set-Cookie", [])]
        xsrf = next(value for value in cookies if value.startswith("_xsrf=")).partition("=")[2]
        session = next(value for value in cookies if value.startswith("__Host-labgate="))

        def log_in(password: str, xsrf: str = xsrf) -> int:
            return labgate.ask(
                "POST",
                "/login",
                f"_xsrf={xsrf}&password={password.replace(' ', '+')}",
                Cookie=f"_xsrf={xsrf}; {session}",
                Content_Type="application/x-www-form-urlencoded",
            ).status

        assert [log_in("guess", xsrf="") for _ in range(4)] == [403] * 4
        assert [log_in("guess 1"), log_in("guess 2"), log_in(PASSWORD)] == [401, 401, 302]
        assert [log_in(f"guess {n}") for n in range(3)] == [401] * 3
        assert log_in(PASSWORD) == 429
        assert labgate.ask("GET", "/login", Authorization=BASIC).status == 429
        assert labgate.ask("GET", "/login", Cookie=session).status == 200
        assert "lockout: too many failed logins" in labgate.log
        assert OURS not in labgate.log
        assert PASSWORD not in labgate.log

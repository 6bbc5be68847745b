"""A day at JupyterLab through labgate, in Chromium."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from proxy.config.password_hash import hash_passphrase
from proxy.rules.compression import CODINGS, MIN_BYTES
from tests.e2e.conftest import shoot
from tests.e2e.programs import (
    PASSWORD,
    TOKEN,
    Jupyter,
    Labgate,
    forget_peak_memory,
    peak_memory,
    resident_memory,
    until,
)

pytestmark = [pytest.mark.chromium, pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

MEBIBYTE = 2**20
BIG_FILE_BYTES = 100_000_000
FLAT_BYTES = 16 * MEBIBYTE

NOTEBOOK = {
    "cells": [],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        # Shorter content is not compressed.
        "remark": "long " * (MIN_BYTES // 5),
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with Jupyter(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def labgate(jupyter: Jupyter) -> Iterator[Labgate]:
    with Labgate(jupyter.folder, "serve", "--upstream", jupyter.upstream) as running:
        yield running


def log_in(page: Page, labgate: Labgate, secret: str, path: str = "/lab?reset") -> None:
    """Through Jupyter's own form, as somebody who opens the bare address does."""
    page.goto(labgate.origin + path)
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.fill("#password_input", secret)
    page.click("#login_submit")
    expect(page.locator("#jp-MainLogo")).to_be_visible()


def open_notebook(page: Page, labgate: Labgate, jupyter: Jupyter, name: str) -> None:
    """Log in straight to a new notebook."""
    (jupyter.work / name).write_text(json.dumps(NOTEBOOK))
    log_in(page, labgate, TOKEN, f"/lab/tree/{name}?reset")


def status(page: Page, states: str) -> Locator:
    """What the bottom line says of the notebook's kernel."""
    return page.get_by_text(re.compile(rf"\| ({states})$"))


def run_cell(page: Page, code: str) -> None:
    """Run code once the kernel is there."""
    expect(status(page, "Idle")).to_be_visible()
    type_and_run(page, code)


def type_and_run(page: Page, code: str) -> None:
    """Type code into the last cell and run it."""
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").last
    cell.click()
    page.keyboard.type(code)
    expect(cell).to_have_text(code)
    page.keyboard.press("Shift+Enter")


def test_a_notebook_runs_is_saved_and_survives_a_reload(
    page: Page, labgate: Labgate, jupyter: Jupyter
) -> None:
    responses: list[Response] = []

    def note(response: Response) -> None:
        responses.append(response)

    page.on("response", note)
    open_notebook(page, labgate, jupyter, "story.ipynb")
    shoot(page, "lab-1-logged-in")
    run_cell(page, "print('the answer is', 6 * 7)")
    expect(page.get_by_text("the answer is 42")).to_be_visible()
    shoot(page, "lab-2-cell-ran")

    page.keyboard.press("Control+s")
    until(lambda: "the answer is 42" in (jupyter.work / "story.ipynb").read_text(), "not saved")
    page.reload()
    expect(page.get_by_text("the answer is 42")).to_be_visible()
    shoot(page, "lab-3-reloaded")

    codings: dict[str, set[str]] = {}
    for response in responses:
        path, coding = urlsplit(response.url).path, response.headers.get("content-encoding")
        codings.setdefault(path, set()).add(coding or "")
    for secret in ("/login", "/lab/tree/story.ipynb"):
        assert codings[secret] == {""}, "its length would tell what is in it"
    ours = {coding.decode() for coding in CODINGS}
    assert codings["/api/contents/story.ipynb"] & ours
    scripts = {path for path in codings if path.startswith("/static/lab/jlab_core.")}
    assert scripts
    assert all(codings[path] <= ours for path in scripts), codings


def test_lab_shows_what_labgate_refuses_and_why(
    page: Page, labgate: Labgate, jupyter: Jupyter
) -> None:
    """Lab reads ``message`` from the JSON that its own script is answered with."""
    open_notebook(page, labgate, jupyter, "refused.ipynb")
    expect(status(page, "Idle")).to_be_visible()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").last
    cell.click()
    page.keyboard.type("1")
    expect(cell).to_have_text("1")
    page.set_extra_http_headers({"Expect": "a miracle"})
    page.keyboard.press("Control+s")
    dialog = page.locator(".jp-Dialog", has_text="File Save Error")
    expect(dialog).to_contain_text("Only 100-continue can be expected.")
    shoot(page, "lab-16-refused")


def test_a_terminal(page: Page, labgate: Labgate) -> None:
    log_in(page, labgate, TOKEN)
    page.locator('.jp-LauncherCard[title="Start a new terminal session"]').click()
    terminal = page.locator(".jp-Terminal .xterm-accessibility")
    expect(terminal).to_contain_text(re.compile(r"[$#]"))
    page.locator(".jp-Terminal .xterm-screen").click()
    page.keyboard.type("echo from-$((40 + 2))-the-shell")
    page.keyboard.press("Enter")
    expect(terminal).to_contain_text("from-42-the-shell")
    shoot(page, "lab-4-terminal")


def test_logging_in_with_a_password(page: Page, tmp_path: Path) -> None:
    with (
        Jupyter(tmp_path, hashed_password=hash_passphrase(PASSWORD)) as jupyter,
        Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate,
    ):
        page.goto(labgate.origin)
        page.fill("#password_input", "not the password")
        page.click("#login_submit")
        expect(page.get_by_text("Invalid credentials")).to_be_visible()
        shoot(page, "lab-5-wrong-password")
        log_in(page, labgate, PASSWORD)
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
        login = next(cookie for name, cookie in cookies.items() if name.startswith("username-"))
        assert (login["secure"], login["httpOnly"], login["sameSite"]) == (True, True, "Lax")
        assert cookies["_xsrf"]["secure"]
        shoot(page, "lab-6-password")


@pytest.fixture
def uncached(jupyter: Jupyter, tmp_path: Path) -> Iterator[Labgate]:
    """It keeps no files, so that its memory is that of requests alone."""
    with Labgate(tmp_path, "serve", "--upstream", jupyter.upstream, "--no-cache") as running:
        yield running


def test_a_big_file_goes_up_and_down_with_flat_memory(
    page: Page, uncached: Labgate, jupyter: Jupyter, tmp_path: Path
) -> None:
    """100 MB by Lab's own upload button and download menu.

    What the cache takes is bounded in tests/cache/test_best_coding.py.
    """
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(BIG_FILE_BYTES))
    digest = _sha256(big)
    log_in(page, uncached, TOKEN)

    forget_peak_memory(uncached.pid)
    before = resident_memory(uncached.pid)
    with page.expect_file_chooser() as chooser:
        page.locator('[data-jp-item-name="uploader"]').click()
    chooser.value.set_files(big)
    page.locator(".jp-Dialog .jp-mod-accept").click()
    shoot(page, "lab-7-uploading")
    arrived = jupyter.work / "big.bin"
    until(
        lambda: arrived.exists() and arrived.stat().st_size == BIG_FILE_BYTES,
        "the upload did not arrive",
        120,
    )
    assert _sha256(arrived) == digest
    up = peak_memory(uncached.pid) - before

    item = page.locator(".jp-DirListing-item", has_text="big.bin")
    item.click(button="right")
    with page.expect_download(timeout=120_000) as download:
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Download$")).click()
    assert _sha256(download.value.path()) == digest
    down = peak_memory(uncached.pid) - before
    shoot(page, "lab-8-downloaded")
    print(
        f"labgate: {before / MEBIBYTE:.1f} MiB resident before, peak grew by "
        f"{up / MEBIBYTE:.1f} MiB with the upload, {down / MEBIBYTE:.1f} MiB in all"
    )
    assert down < FLAT_BYTES


@pytest.mark.deployment
def test_labgate_restarts_under_an_open_page(
    page: Page, labgate: Labgate, jupyter: Jupyter
) -> None:
    """The kernel lives on, so the page must find it again with what it knew."""
    open_notebook(page, labgate, jupyter, "labgate.ipynb")
    run_cell(page, "kept = 6 * 7")
    labgate.stop()
    expect(status(page, "Connecting|Disconnected")).to_be_visible()
    shoot(page, "lab-9-without-labgate")
    labgate.start()
    # Lab has no news of the kernel's state until it works again.
    expect(status(page, "Idle|Unknown")).to_be_visible(timeout=60_000)
    type_and_run(page, "print('kept', kept)")
    expect(page.get_by_text("kept 42")).to_be_visible()
    shoot(page, "lab-10-labgate-is-back")


@pytest.mark.deployment
def test_jupyter_restarts_under_an_open_page(
    page: Page, labgate: Labgate, jupyter: Jupyter
) -> None:
    """A crash takes the kernel along; Lab says so, and goes on with a new one."""
    open_notebook(page, labgate, jupyter, "jupyter.ipynb")
    run_cell(page, "print('before', 1 + 1)")
    expect(page.get_by_text("before 2")).to_be_visible()

    jupyter.running.send_signal(signal.SIGKILL)
    jupyter.running.wait()
    until(lambda: labgate.ask("GET", "/api").status == 503, "no 503 without Jupyter")
    lost = page.locator(".jp-Dialog", has_text="Server Connection Error")
    expect(lost).to_be_visible()
    shoot(page, "lab-11-without-jupyter")
    jupyter.start()
    lost.get_by_role("button", name="Close").click()
    no_kernel = page.get_by_role("button", name="No Kernel", exact=True)
    expect(no_kernel).to_be_visible(timeout=60_000)
    shoot(page, "lab-12-jupyter-is-back")

    no_kernel.click()
    page.locator(".jp-Dialog").get_by_role("button", name="Select Kernel").click()
    run_cell(page, "print('after', 2 + 2)")
    expect(page.get_by_text("after 4")).to_be_visible()
    shoot(page, "lab-13-new-kernel")


@pytest.mark.deployment
def test_a_page_opened_too_early_opens_by_itself(page: Page, tmp_path: Path) -> None:
    jupyter = Jupyter(tmp_path)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate:
        page.goto(f"{labgate.origin}/lab?token={TOKEN}")
        expect(page.get_by_role("heading", name="Jupyter is not answering yet")).to_be_visible()
        shoot(page, "lab-14-too-early")
        assert page.evaluate("getComputedStyle(document.body).display") == "grid", "its style"
        with jupyter:
            expect(page.locator("#jp-MainLogo")).to_be_visible()
            shoot(page, "lab-15-by-itself")
    assert not complaints


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

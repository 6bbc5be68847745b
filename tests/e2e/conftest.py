"""A browser with pages that leave a picture when their test fails."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

from tests.conftest import require
from tests.e2e.containers import container_name
from tests.e2e.steady_chromium import CHROMIUM

STEADY_CHROMIUM = Path(__file__).parent / "steady_chromium.py"
SHOTS = Path(__file__).parent / "shots"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE_MS = 60_000

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def name() -> Iterator[str]:
    """A name nobody uses, for a container of the test's and its volumes."""
    with container_name() as name:
        yield name


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; of the module, because Playwright's own loop bars asyncio tests meanwhile."""
    require(Path(CHROMIUM).exists(), "no Chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=STEADY_CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A browser nobody is logged in with; every page of a test that fails leaves a picture.

    Whether the certificate is trusted is another test's subject (test_up).
    """
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 1280, "height": 800}, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    if request.node.stash.get(FAILED, True):
        for number, page in enumerate(context.pages):
            shoot(page, f"failed-{request.node.name}-{number}")
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A fresh page."""
    return context.new_page()


def shoot(page: Page, name: str) -> None:
    """A picture for people, in the folder git ignores."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}.png")

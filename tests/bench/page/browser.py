"""Chromium, on a line that it throttles itself; every load has the same steps.

Times are the page's own: Playwright looks for an element at intervals of up to half a second, so
by its clock two proxies whose pages differ by less were the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from tests.bench.page.figures import Line
from tests.e2e.programs import TOKEN

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 120_000.0
QUIET_SECONDS = 2.0
"""What comes within this time after the launcher belongs to the load, too."""
CLOCK = """
(() => {
  const shows = (selector) => {
    const box = document.querySelector(selector)?.getBoundingClientRect();
    return box !== undefined && box.width > 0 && box.height > 0;
  };
  const until = (selector, then) => {
    const look = () => {
      if (shows(selector)) then(performance.now());
      else if (document.querySelector(selector)) requestAnimationFrame(look);
      else observer.observe(document, {childList: true, subtree: true});
    };
    const observer = new MutationObserver(() => {
      if (!document.querySelector(selector)) return;
      observer.disconnect();
      look();
    });
    look();
  };
  window.clock = {};
  until(".jp-LauncherCard", (at) => { window.clock.launcher = at; });
  document.addEventListener("click", (event) => {
    until(".jp-Notebook .jp-Cell", (at) => { window.clock.notebook = at - event.timeStamp; });
  }, true);
})();
"""
"""Milliseconds from the beginning of the navigation, or from a click, until something is drawn."""


@dataclass
class Load:
    """A page as it came.

    Attributes:
        seconds: Until the launcher showed.
        octets: Received, with heads.
        requests: That ended.
    """

    seconds: float = 0.0
    octets: int = 0
    requests: int = 0


@contextmanager
def chromium(chain: Path) -> Iterator[Browser]:
    """A browser that takes the certificate for a valid one: otherwise it would cache nothing."""
    leaf = x509.load_pem_x509_certificate(chain.read_bytes())
    key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    arguments = [f"--ignore-certificate-errors-spki-list={digest}", "--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def log_in(browser: Browser, origin: str) -> StorageState:
    """The cookies of somebody who is logged in."""
    context = browser.new_context()
    try:
        context.new_page().goto(f"{origin}/login?token={TOKEN}", timeout=PATIENCE_MS)
        return context.storage_state()
    finally:
        context.close()


class Visit:
    """One person with an empty cache, on one line."""

    def __init__(self, browser: Browser, origin: str, cookies: StorageState, line: Line) -> None:
        self._origin = origin
        self._context: BrowserContext = browser.new_context(
            storage_state=cookies, viewport={"width": 1280, "height": 800}
        )
        self._context.add_init_script(CLOCK)
        self.page: Page = self._context.new_page()
        self._load = Load()
        devtools = self._context.new_cdp_session(self.page)
        devtools.send("Network.enable")
        octets_in_second = line.megabits * 1e6 / 8
        devtools.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": line.latency_ms,
                "downloadThroughput": octets_in_second,
                "uploadThroughput": octets_in_second,
            },
        )
        devtools.on("Network.loadingFinished", self._on_finished)

    def close(self) -> None:
        """They leave."""
        self._context.close()

    def load(self) -> Load:
        """Open JupyterLab; it is there when the launcher is."""
        self._load = load = Load()
        self.page.goto(f"{self._origin}/lab?reset", timeout=PATIENCE_MS, wait_until="commit")
        self.page.locator(".jp-LauncherCard").first.wait_for(timeout=PATIENCE_MS)
        self.page.wait_for_timeout(1000 * QUIET_SECONDS)
        load.seconds = self._seconds("launcher")
        return load

    def open_notebook(self) -> float:
        """From the click on a launcher's card until the first cell shows; in seconds."""
        self.page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=PATIENCE_MS)
        return self._seconds("notebook")

    def _seconds(self, name: str) -> float:
        """What the page's clock says, as soon as it does."""
        said = self.page.wait_for_function(f"window.clock.{name}", timeout=PATIENCE_MS)
        return float(said.json_value()) / 1000

    def _on_finished(self, event: dict[str, Any]) -> None:
        self._load.octets += int(event["encodedDataLength"])
        self._load.requests += 1

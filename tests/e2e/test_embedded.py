"""JupyterLab in a frame: of a site that is listed, and of one that is not."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import BrowserContext, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.conftest import require
from tests.e2e.conftest import FLAGS, PATIENCE_MS, STEADY_CHROMIUM
from tests.e2e.programs import TOKEN, Jupyter, Labgate, free_port
from tests.e2e.steady_chromium import CHROMIUM

ATTEMPTS, ATTEMPT_MS = 6, 10_000

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.chromium,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module")
def portal() -> int:
    """The port of the listed site."""
    return free_port()


@pytest.fixture(scope="module")
def labgate(folder: Path, portal: int) -> Iterator[Labgate]:
    with Jupyter(folder) as jupyter:
        arguments = ("--upstream", jupyter.upstream, "--bind", "127.0.0.1")
        # Another name than that of the sites, which are on another port of this machine.
        environment = {
            "LABGATE_SITE__EMBED_IN": f"https://127.0.0.1:{portal}",
            "LABGATE_SITE__DOMAINS": "localhost",
        }
        with Labgate(folder, "serve", *arguments, environment=environment) as running:
            yield running


@pytest.fixture
def window() -> Iterator[BrowserContext]:
    """A browser whose user lets frames of other sites store something.

    Lab does not work without localStorage, in a frame or not.
    """
    require(Path(CHROMIUM).exists(), "no Chromium", "apt-get install chromium")
    flags = [*FLAGS, "--disable-features=TrackingProtection3pcd"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=STEADY_CHROMIUM, args=flags)
        context = chromium.new_context(ignore_https_errors=True)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield context
        chromium.close()


@pytest.fixture
def sites(labgate: Labgate, portal: int, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The listed site and another one, each with the same page."""
    page = f"""<!doctype html><title>A portal</title>
<iframe src="{labgate.origin}/lab?token={TOKEN}" width="1200" height="700"></iframe>""".encode()

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    leaf = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    servers = []
    for port in (portal, 0):
        server = ThreadingHTTPServer(("127.0.0.1", port), Portal)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    listed, other = (f"https://127.0.0.1:{server.server_port}" for server in servers)
    yield listed, other
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_listed_site_shows_a_lab_that_works(
    window: BrowserContext, sites: tuple[str, str], labgate: Labgate
) -> None:
    page = window.new_page()
    page.goto(sites[0])
    lab = page.frame_locator("iframe")
    # A notebook's kernel answers: cookies, XSRF and WebSockets work in the frame.
    lab.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    # Before the kernel is there, Lab moves the focus.
    expect(lab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
    cell = lab.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click()
    page.keyboard.type("6 * 7")
    expect(cell).to_have_text("6 * 7")
    output = lab.locator(".jp-OutputArea-output", has_text="42").first
    for _ in range(ATTEMPTS):
        # Lab drops keys while its extensions still load.
        cell.press("Shift+Enter")
        with suppress(PlaywrightTimeoutError):
            output.wait_for(timeout=ATTEMPT_MS)
            break
    expect(output).to_be_visible()
    cookies = [
        one for one in window.cookies() if "127-0-0-1" in one["name"] or one["name"] == "_xsrf"
    ]
    assert cookies
    assert {one["sameSite"] for one in cookies} == {"None"}
    assert all(one["secure"] and one.get("partitionKey") for one in cookies)


def test_a_site_that_is_not_listed_shows_nothing(
    window: BrowserContext, sites: tuple[str, str], labgate: Labgate
) -> None:
    page = window.new_page()
    with page.expect_response(lambda answer: answer.url.startswith(labgate.origin)) as answered:
        page.goto(sites[1])
    assert answered.value.status == 403
    frame = page.frames[1]
    expect(frame.locator(".jp-Launcher, #jp-main-content-panel")).to_have_count(0)
    # One that hides who it is gets an answer, and the browser shows nothing of it.
    page.set_content(
        f'<iframe referrerpolicy="no-referrer" src="{labgate.origin}/lab?token={TOKEN}"></iframe>'
    )
    page.wait_for_function("document.querySelector('iframe') !== null")
    page.wait_for_load_state("networkidle")
    assert page.frames[1].url.startswith("chrome-error://")

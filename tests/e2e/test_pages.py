"""labgate's own pages in Chromium: whole in one response, and nothing of them is blocked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PATIENCE_MS, shoot
from tests.e2e.programs import Labgate, until
from tests.passwords import write_htpasswd

pytestmark = pytest.mark.chromium

STATUS = re.compile(r"Failed to load resource: the server responded with a status of \d+")
"""What Chromium says of an error's status."""


def nothing(folder: Path) -> str:
    """An upstream that nobody else can turn up at, as at a free port."""
    return f"unix:{folder / 'nobody.sock'}"


@pytest.fixture(scope="module")
def labgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labgate]:
    """In front of nothing; its log has every request, those of health probes too."""
    folder = tmp_path_factory.mktemp("pages")
    arguments = ("serve", "--upstream", nothing(folder))
    with Labgate(folder, *arguments, environment={"LABGATE_LOG__HEALTH": "true"}) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labgate]:
    """With a password in front, and no patience."""
    folder = tmp_path_factory.mktemp("guarded")
    file = write_htpasswd(folder)
    arguments = ("serve", "--upstream", nothing(folder), "--htpasswd", str(file))
    with Labgate(
        folder, *arguments, environment={"LABGATE_ACCESS__LOGIN_FAILURES": "1"}
    ) as running:
        yield running


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser says of the page: what a policy blocks, what a script gets wrong."""
    return listened(page)


def listened(page: Page) -> list[str]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def asked(labgate: Labgate) -> list[str]:
    """The targets of every request, from labgate's access log."""
    return re.findall(r'(?:INFO|WARNING) \S+ "[A-Z]+ (\S+)(?: HTTP/2)?"', labgate.log)


def looks_right(page: Page, heading: str, name: str) -> None:
    """The page stands there with its style, in both schemes and on a narrow screen."""
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).display") == "grid", "its style"
    backgrounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for width in (1280, 360, 320):
            page.set_viewport_size({"width": width, "height": 700})
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{overflow} pixels stick out at {width}"
            if width != 320:
                shoot(page, f"page-{name}-{scheme}-{width}")
    assert len(set(backgrounds)) == 2


def nothing_else(complaints: list[str]) -> bool:
    """Whether nothing was blocked, and no script went wrong."""
    return all(STATUS.match(complaint) for complaint in complaints)


OPENED = [
    pytest.param("/.well-known/acme-challenge/none", 404, "nothing here", id="404"),
    pytest.param("https://127.0.0.1:{port}/other-name", 421, "under another name", id="421"),
]


@pytest.mark.parametrize(("address", "status", "heading"), OPENED)
def test_an_error_is_one_request_and_nothing_is_blocked(
    page: Page, labgate: Labgate, complaints: list[str], address: str, status: int, heading: str
) -> None:
    path = re.sub(r"^https://[^/]*", "", address)
    before = len(asked(labgate))
    base = "" if path != address else labgate.origin
    page.goto(base + address.format(port=labgate.https_port))
    looks_right(page, heading, str(status))
    page.wait_for_load_state("networkidle")
    labgate.ask("GET", "/.labgate/health")
    until(lambda: "/.labgate/health" in asked(labgate)[before:], "not logged")
    # After a 421 Chromium asks once more, over another connection (RFC 9110 section 15.5.20).
    assert set(asked(labgate)[before:]) == {path, "/.labgate/health"}
    assert re.search(rf'{re.escape(path)}(?: HTTP/2)?" {status} ', labgate.log)
    assert nothing_else(complaints), complaints


def test_the_waiting_page_asks_for_nothing_but_whether_jupyter_is_ready(
    page: Page, labgate: Labgate, complaints: list[str]
) -> None:
    before = len(asked(labgate))
    page.goto(f"{labgate.origin}/lab")
    looks_right(page, "Jupyter is not answering yet", "503")
    until(lambda: asked(labgate)[before:].count("/.labgate/ready") > 1, "it does not look again")
    assert set(asked(labgate)[before:]) == {"/lab", "/.labgate/ready"}
    turning = "getComputedStyle(document.querySelector('.turning')).animationName"
    assert page.evaluate(turning) == "turn"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(turning) == "none"
    assert nothing_else(complaints), complaints


def test_a_form_of_another_site_gets_a_page_that_says_so(
    page: Page, labgate: Labgate, complaints: list[str]
) -> None:
    page.set_content(f'<form method="post" action="{labgate.origin}/lab"><button>Win</button>')
    page.get_by_role("button").click()
    looks_right(page, "This was opened from another site", "403")
    assert nothing_else(complaints), complaints


def test_pages_for_people_who_cannot_log_in(browser: Browser, guarded: Labgate) -> None:
    """The second password is one too many."""
    context = browser.new_context(
        ignore_https_errors=True, http_credentials={"username": "ada", "password": "wrong"}
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    complaints = listened(page)
    try:
        page.goto(f"{guarded.origin}/lab")
        looks_right(page, "A login is needed", "401")
        page.goto(f"{guarded.origin}/lab")
        looks_right(page, "Please wait before you log in again", "429")
        expect(page.get_by_text(re.compile(r"try again in \d+ minutes"))).to_be_visible()
    finally:
        context.close()
    assert nothing_else(complaints), complaints

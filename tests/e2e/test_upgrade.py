"""A Jupyter that is upgraded behind a running labgate never leaves a page of two versions.

``make test-http2`` runs it over HTTP/2 as well.

The worst of an upgrade is a file of another content under the same name that Jupyter called
immutable. Such are the entries of extensions whose builds put no hash into their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import PATIENCE_MS, shoot
from tests.e2e.programs import TOKEN, Jupyter, Labgate, until
from tests.fronts import front

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.chromium,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab"),
]

ENTRY = """\
var _JUPYTERLAB;
(_JUPYTERLAB = window._JUPYTERLAB = window._JUPYTERLAB || {})["dated"] = {
  init: () => undefined,
  get: async () => () => ({
    __esModule: true,
    default: { id: "dated:plugin", autoStart: true, activate: () => { window.dated = "VERSION"; } },
  }),
};
// FILLER
"""


def install(jupyter: Jupyter, version: str) -> None:
    """As pip does with a prebuilt extension."""
    folder = jupyter.folder / "data" / "labextensions" / "dated"
    (folder / "static").mkdir(parents=True, exist_ok=True)
    build = {"load": "static/remoteEntry.js", "extension": "./extension"}
    package = {
        "name": "dated",
        "version": version,
        "jupyterlab": {"extension": True, "_build": build},
    }
    (folder / "package.json").write_text(json.dumps(package))
    entry = ENTRY.replace("VERSION", version).replace("FILLER", "filler " * 300)
    (folder / "static" / "remoteEntry.js").write_text(entry)


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Jupyter]:
    running = Jupyter(tmp_path)
    install(running, "1.0.0")
    with running:
        yield running


@pytest.fixture
def labgate(jupyter: Jupyter) -> Iterator[Labgate]:
    with Labgate(jupyter.folder, "serve", "--upstream", jupyter.upstream) as running:
        yield running


def visit(browser: Browser, labgate: Labgate) -> str:
    """The version that somebody sees who comes for the first time."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    try:
        page.goto(f"{labgate.origin}/lab?reset&token={TOKEN}")
        return version(page)
    finally:
        shoot(page, "upgrade")
        context.close()


def version(page: Page) -> str:
    page.locator(".jp-LauncherCard").first.wait_for(timeout=PATIENCE_MS)
    navigation = "performance.getEntriesByType('navigation')[0]"
    spoken = page.evaluate(f"{navigation}.nextHopProtocol")
    assert spoken == ("h2" if front() == "http2" else "http/1.1")
    found = page.evaluate("window.dated")
    assert isinstance(found, str)
    return found


def named_by_the_page(page: Page) -> str:
    """What Chromium has fetched because a Link field named it."""
    entries = "performance.getEntriesByType('resource').filter(one => one.initiatorType == 'link')"
    found = page.evaluate(f"{entries}.map(one => one.name).join(' ')")
    assert isinstance(found, str)
    return found


def first_scripts(labgate: Labgate) -> list[str]:
    """The page's own script, and the largest of those that it loads."""
    found = set(re.findall(r'"GET (/static/lab/(?:main|jlab_core)\.[^ "]+)', labgate.log))
    return sorted(found, reverse=True)


def is_named(labgate: Labgate, scripts: list[str]) -> bool:
    """Load the page and these scripts; whether its Link field named them.

    From a load that takes longer than ``LOAD_SECONDS`` labgate learns nothing more, and a browser's
    may, on a machine that has much else to do.
    """
    page = labgate.ask("GET", f"/lab?token={TOKEN}")
    assert page.status == 200
    for script in scripts:
        assert labgate.ask("GET", script, Accept_Encoding="br").status == 200
    named = page.fields["Link"] or ""
    return all(f"<{script}>" in named for script in scripts)


def answered_from_memory(labgate: Labgate, target: str) -> bool:
    lines = [line for line in labgate.log.splitlines() if f'"GET {target}' in line]
    return bool(lines) and " cached " in lines[-1]


def test_the_first_page_after_an_upgrade_is_of_the_new_version(
    browser: Browser, labgate: Labgate, jupyter: Jupyter
) -> None:
    entry = "/lab/extensions/dated/static/remoteEntry.js"
    assert visit(browser, labgate) == "1.0.0"
    kept = jupyter.folder / "labgate" / "static-files"
    # What came last is kept last.
    until(lambda: len(list(kept.glob("*/*"))) > 30, "the files of a page are not kept")
    until(
        lambda: visit(browser, labgate) == "1.0.0" and answered_from_memory(labgate, entry),
        "the extension never comes from memory",
    )
    scripts = first_scripts(labgate)
    assert len(scripts) == 2, scripts
    until(lambda: is_named(labgate, scripts), "the page does not name its scripts")
    open_before = browser.new_context(ignore_https_errors=True).new_page()
    open_before.goto(f"{labgate.origin}/lab?reset&token={TOKEN}")
    assert version(open_before) == "1.0.0"
    assert re.search(r"/main\.\w+\.js.* .*/jlab_core\.\w+\.js", named_by_the_page(open_before))
    jupyter.stop()
    install(jupyter, "2.0.0")
    jupyter.start()
    assert visit(browser, labgate) == "2.0.0"
    # What it cached itself is the browser's; the page is whole.
    open_before.reload()
    assert version(open_before) in ("1.0.0", "2.0.0")
    open_before.context.close()
    # The other files are the same: they are kept again.
    until(
        lambda: visit(browser, labgate) == "2.0.0" and answered_from_memory(labgate, entry),
        "the new one never comes from memory",
    )

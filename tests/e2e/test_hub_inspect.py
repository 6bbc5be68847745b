"""``labgate inspect`` beside the proxy of a Hub, and its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.programs import until
from tests.e2e.test_inspect import Inspect, by_path
from tests.hub.running import LABGATE, ProxyProcess, as_process, echo_target

pytestmark = [pytest.mark.deployment, pytest.mark.chromium]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with echo_target() as url:
        yield url


def inspect(proxy: ProxyProcess, folder: Path, *words: str) -> Inspect:
    made = Inspect(folder, *words)
    made.environment["LABGATE_STATE__FOLDER"] = proxy.state_folder.name
    return made


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_request_with_its_route(
    workers: str, target: str, tmp_path: Path, page: Page
) -> None:
    with as_process(LABGATE, "--workers", workers) as proxy:
        for name in ("ada", "bob"):
            proxy.api("POST", f"/user/{name}", {"target": target})
        with inspect(proxy, tmp_path, "--json") as running:
            assert "2 routes of the Hub" in running.log
            proxy.get("/user/ada/api?token=s3cret")
            proxy.get("/user/bob/api")
            proxy.get("/nowhere")
            seen = until(
                lambda: by_path(running) if len(by_path(running)) == 3 else {}, "too few rows"
            )
            assert {path: one["route"] for path, one in seen.items()} == {
                "/user/ada/api": "/user/ada",
                "/user/bob/api": "/user/bob",
                "/nowhere": "",
            }
            assert "s3cret" not in json.dumps(seen)
            page.goto(running.page)
            expect(page.locator(".row")).to_have_count(3)
            page.locator("#filter").fill("route:/user/ada")
            expect(page.locator(".row")).to_have_count(1)
            expect(page.locator(".row .tag.route")).to_have_text("/user/ada")
            page.locator(".row").click()
            expect(page.locator("#details .facts").first).to_contain_text("route /user/ada")
            page.keyboard.press("r")
            page.locator("#replay-target").fill("/user/ada/again")
            page.locator("#through-rules").check()
            page.locator("#replay-dialog button[type=submit]").click()
            expect(page.locator("#details .title")).to_contain_text("/user/ada/again")
            expect(page.locator("#details .title")).to_contain_text("200")
            page.locator("#filter").fill("path:/nowhere")
            expect(page.locator(".row")).to_have_count(1)
            page.locator(".row").click()
            page.keyboard.press("r")
            page.locator("#replay-target").fill("/user/bob/asked")
            page.once("dialog", lambda dialog: dialog.dismiss())
            page.locator("#replay-dialog button[type=submit]").click()
            expect(page.locator("#replay-dialog .error")).to_contain_text("the route /user/bob")
            page.once("dialog", lambda dialog: dialog.accept())
            page.locator("#replay-dialog button[type=submit]").click()
            expect(page.locator("#details .title")).to_contain_text("/user/bob/asked")
        (tmp_path / "rows").mkdir()
        with inspect(proxy, tmp_path / "rows", "--filter", "route:/user/bob") as rows:
            proxy.get("/user/ada/more")
            proxy.get("/user/bob/more")
            until(lambda: rows.rows, "no row")
            assert re.search(r" 200 GET    /user/bob/more .* route /user/bob$", rows.rows[0])
        once = inspect(proxy, tmp_path / "rows", "--off").spawn()
        assert once.running.wait(60) == 0, once.log

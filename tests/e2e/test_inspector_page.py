"""The inspector's page in Chromium: by keyboard, in every width, with thousands of exchanges."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Route, expect

from proxy.inspector.har import to_har
from tests.e2e.conftest import shoot
from tests.e2e.programs import Labgate, free_port, until
from tests.e2e.test_inspect import UPGRADE, Inspect, ask, with_socket
from tests.inspector.exchanges import exchange

pytestmark = pytest.mark.chromium

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
SECRET = "s3cret-of-the-archive"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspect]:
    """In front of a Jupyter that is away: every answer is labgate's own."""
    folder = tmp_path_factory.mktemp("page")
    upstream = f"http://127.0.0.1:{free_port()}"
    with Inspect(folder, "--upstream", upstream, "--content") as running:
        yield running


@pytest.fixture
def inspector(bench: Inspect, page: Page) -> Page:
    """The page, with an empty list."""
    with page.expect_response("**/api/exchanges?*"):
        page.goto(bench.page)
    expect(page.locator("#capture")).to_have_text("Capture: on")
    with page.expect_response("**/api/exchanges?*"):
        page.get_by_role("button", name="Clear").click()
    expect(page.locator(".row")).to_have_count(0)
    return page


def read_in(page: Page, archive: Path) -> None:
    page.locator("#archive").set_input_files(archive)
    expect(page.locator("#note")).to_contain_text(f"exchanges of {archive.name}")


def entries(*exchanges: Any) -> dict[str, Any]:
    return to_har(exchanges)


def write(folder: Path, archive: dict[str, Any]) -> Path:
    path = folder / "given.har"
    path.write_text(json.dumps(archive))
    return path


def test_the_mend_is_closed_and_can_be_copied(bench: Inspect, inspector: Page) -> None:
    inspector.context.grant_permissions(["clipboard-read", "clipboard-write"])
    handshake = {name: value for name, value in UPGRADE.items() if name.startswith("Sec-")}
    ask(bench, "GET", "/api/kernels/1/channels", Via="1.1 front (Apache/2.4)", **handshake)
    inspector.locator(".row").click()
    mends = inspector.locator("#details .mend")
    expect(mends.first).to_contain_text("Mend in Apache")
    expect(mends.first).to_contain_text("seen on the way")
    expect(mends.first.locator("pre")).to_be_hidden()
    mends.first.locator("summary").click()
    expect(mends.first.locator("pre")).to_be_visible()
    inspector.get_by_role("button", name="Copy the lines for Apache").click()
    expect(inspector.locator("#note")).to_have_text("Copied.")
    copied = inspector.evaluate("navigator.clipboard.readText()")
    assert copied == mends.first.locator("pre").text_content()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_what_was_not_captured_is_said_beside_what_lacks_it(
    bench: Inspect, inspector: Page, colours: Any
) -> None:
    inspector.emulate_media(color_scheme=colours)
    inspector.context.grant_permissions(["clipboard-read", "clipboard-write"])
    content = inspector.locator("#content")
    if was_on := content.inner_text() == "Content: on":
        content.click()
    expect(content).to_have_text("Content: off")
    labgate = Labgate(bench.folder, "inspect", tls=False)
    labgate.http_port = bench.port
    labgate.ask("POST", "/api/lacking", b"x" * 117, Cookie="login=secret")
    inspector.locator(".row", has_text="/api/lacking").click()
    expect(inspector.locator("#details .title")).to_contain_text("/api/lacking")
    inspector.get_by_role("button", name="Copy as curl").click()
    beside = inspector.locator("#copied")
    expect(beside).to_contain_text("Copied. Secrets were never captured: put them in where it")
    expect(beside).to_contain_text("content of 117 octets was not captured")
    shoot(inspector, f"inspector-copied-{colours}")
    inspector.keyboard.press("r")
    form = inspector.locator("#replay-dialog")
    expect(form).to_contain_text("content of 117 octets was not captured")
    expect(form).to_contain_text("Content-Length follows it")
    assert "content-length" not in form.locator("#replay-fields").input_value().lower()
    shoot(inspector, f"inspector-replay-{colours}")
    inspector.keyboard.press("Escape")
    if was_on:
        content.click()
        expect(content).to_have_text("Content: on")


def test_filter_and_exchange_are_in_the_address(bench: Inspect, inspector: Page) -> None:
    for number in range(3):
        ask(bench, "GET", f"/api/kept/{number}")
    ask(bench, "GET", "/api/other")
    expect(inspector.locator(".row")).to_have_count(4)
    inspector.locator("#filter").fill("path:/api/kept")
    expect(inspector.locator(".row")).to_have_count(3)
    inspector.locator(".row", has_text="/api/kept/1").click()
    inspector.reload()
    expect(inspector.locator("#filter")).to_have_value("path:/api/kept")
    expect(inspector.locator(".row")).to_have_count(3)
    expect(inspector.locator("#details .title")).to_contain_text("/api/kept/1")
    assert "token" not in inspector.url
    address = inspector.url
    inspector.get_by_role("button", name="Clear").click()
    inspector.goto("about:blank")
    inspector.goto(address)
    expect(inspector.locator("#details")).to_contain_text("is gone")
    inspector.goto("about:blank")
    inspector.goto(re.sub(r"#\w+-", "#0123ab-", address))
    expect(inspector.locator("#details")).to_contain_text("an earlier run of labgate")


def test_escape_empties_the_filter_and_shows_everything(bench: Inspect, inspector: Page) -> None:
    ask(bench, "GET", "/api/kept")
    ask(bench, "GET", "/api/other")
    expect(inspector.locator(".row")).to_have_count(2)
    inspector.keyboard.press("/")
    inspector.keyboard.type("path:/api/kept")
    expect(inspector.locator(".row")).to_have_count(1)
    inspector.keyboard.press("Escape")
    expect(inspector.locator("#filter")).to_have_value("")
    expect(inspector.locator(".row")).to_have_count(2)
    assert "filter=" not in inspector.url
    inspector.keyboard.press("Escape")
    expect(inspector.locator("#rows")).to_be_focused()


def test_by_keyboard_alone(bench: Inspect, inspector: Page) -> None:
    for number in range(4):
        ask(bench, "GET", f"/api/key/{number}")
    expect(inspector.locator(".row")).to_have_count(4)
    title = inspector.locator("#details .title")
    for key, shown in (("j", "0"), ("j", "1"), ("k", "0"), ("G", "3"), ("g", "0"), ("e", "1")):
        inspector.keyboard.press(key)
        expect(title).to_contain_text(f"/api/key/{shown}")
    inspector.keyboard.press("?")
    expect(inspector.locator("#help-dialog")).to_be_visible()
    inspector.keyboard.press("Escape")
    expect(inspector.locator("#help-dialog")).to_be_hidden()
    inspector.keyboard.press("/")
    inspector.keyboard.type("path:/api/key/2")
    expect(inspector.locator(".row")).to_have_count(1)
    inspector.keyboard.press("Enter")
    expect(inspector.locator("#rows")).to_be_focused()
    inspector.keyboard.press("r")
    expect(inspector.locator("#replay-dialog")).to_be_visible()
    inspector.keyboard.press("Escape")
    inspector.keyboard.press("Tab")
    assert inspector.evaluate("document.activeElement.tagName") in ("BUTTON", "SUMMARY", "ARTICLE")


def test_what_comes_while_the_list_is_asked_for_stays(bench: Inspect, inspector: Page) -> None:
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        answer = route.fetch()
        ask(bench, "GET", "/api/meanwhile")
        held.append((route, answer))

    inspector.route("**/api/exchanges?*", hold)
    inspector.get_by_role("button", name="Clear").click()
    expect(inspector.locator(".row")).to_have_count(1)
    ((route, answer),) = held
    with inspector.expect_event("requestfinished"):
        route.fulfill(response=answer)
    ask(bench, "GET", "/api/later")
    expect(inspector.locator(".row").last).to_contain_text("/api/later")
    expect(inspector.locator(".row")).to_have_count(2)


def test_rows_are_read_out_in_their_order(bench: Inspect, inspector: Page) -> None:
    for number in range(40):
        ask(bench, "GET", f"/api/order/{number}")
    expect(inspector.locator("#count")).to_contain_text("40 shown")
    inspector.keyboard.press("g")
    inspector.keyboard.press("G")
    shown = inspector.locator(".row .number").all_text_contents()
    assert [int(number) for number in shown] == sorted(map(int, shown))


def test_a_row_can_be_chosen_while_others_come(bench: Inspect, inspector: Page) -> None:
    """Between the press and the release of the button the list is drawn anew."""
    ask(bench, "GET", "/api/pressed")
    row = inspector.locator(".row", has_text="/api/pressed")
    row.hover()
    inspector.mouse.down()
    for number in range(60):
        ask(bench, "GET", f"/api/later/{number}")
    expect(inspector.locator("#count")).to_contain_text("61 shown")
    inspector.mouse.up()
    expect(inspector.locator("#details .title")).to_contain_text("/api/pressed")


def test_everything_has_a_name(bench: Inspect, inspector: Page) -> None:
    ask(bench, "GET", "/api/named")
    inspector.locator(".row").click()
    expect(inspector.locator("#details .title")).to_be_visible()
    # Drawn in the next frame.
    chosen = inspector.get_by_role("option", name="GET /api/named, 503", selected=True)
    expect(chosen).to_be_visible()
    tree = inspector.locator("body").aria_snapshot()
    for part in (
        'searchbox "Filter"',
        'toolbar "Actions"',
        'button "Capture: on" [pressed]',
        'button "Keys and filters"',
        'listbox "Exchanges, newest last"',
        'option "GET /api/named, 503" [selected]',
        'article "The chosen exchange"',
        'columnheader "Difference"',
    ):
        assert part in tree, tree
    assert not re.search(
        r"- (button|textbox|searchbox|combobox|option|listbox)\s*(:|$)", tree, re.MULTILINE
    )


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out(bench: Inspect, inspector: Page, colours: Any, width: int) -> None:
    inspector.emulate_media(color_scheme=colours)
    inspector.set_viewport_size({"width": width, "height": 800})
    ask(bench, "GET", f"/api/{'long' * 60}", Origin="https://evil.example", X_Long="x" * 900)
    for number in range(30):
        ask(bench, "GET", f"/api/filling/{number}")
    inspector.locator(".row", has_text="longlong").first.click()
    expect(inspector.locator("#details .explain").first).to_be_visible()
    shoot(inspector, f"inspector-{colours}-{width}")
    assert inspector.evaluate("document.documentElement.scrollWidth") <= width
    assert inspector.evaluate(
        "(shown => shown.scrollWidth <= shown.clientWidth)(document.querySelector('#details'))"
    )
    if width < 860:
        inspector.get_by_role("button", name="← List").click()
        expect(inspector.locator("#details")).to_be_hidden()
        shoot(inspector, f"inspector-{colours}-{width}-list")


def test_of_thousands_only_those_in_view_are_in_the_document(
    inspector: Page, tmp_path: Path
) -> None:
    many = entries(*[exchange(target=f"/api/many/{number}") for number in range(5000)])
    read_in(inspector, write(tmp_path, many))
    inspector.keyboard.press("G")
    expect(inspector.locator("#details .title")).to_contain_text("/api/many/4999")
    inspector.keyboard.press("g")
    expect(inspector.locator("#details .title")).to_contain_text("/api/many/0")
    # Every frame of a way through all of them; how long each took depends on the machine.
    rows = inspector.evaluate(
        """async () => {
            const rows = document.getElementById("rows");
            const most = [];
            for (let top = 0; top < rows.scrollHeight; top += rows.scrollHeight / 60) {
                rows.scrollTop = top;
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
                most.push(rows.querySelectorAll(".row").length);
            }
            return most;
        }"""
    )
    assert min(rows) > 10
    assert max(rows) < 100


def test_hostile_content_cannot_run(bench: Inspect, inspector: Page, tmp_path: Path) -> None:
    """In targets, field names and values, messages, reasons, content: live and of an archive."""
    ask(bench, "GET", "/api/" + HOSTILE.replace(" ", "%20"), X_Note=HOSTILE)
    hostile = entries(
        exchange(target=f"/{HOSTILE}", method=HOSTILE), exchange(target="/ws", websocket=True)
    )
    first, second = hostile["log"]["entries"]
    for part in ("request", "response"):
        first[part]["headers"] += [{"name": HOSTILE, "value": HOSTILE}]
        first[part]["httpVersion"] = f"HTTP/{HOSTILE}"
    first["response"]["statusText"] = HOSTILE
    first["response"]["content"] |= {"text": HOSTILE, "mimeType": "text/html"}
    second["_webSocketMessages"] = [
        {"type": "send", "time": 0, "opcode": 1, "data": HOSTILE},
        {"type": HOSTILE, "time": 0, "opcode": 2, "data": HOSTILE},
    ]
    read_in(inspector, write(tmp_path, hostile))
    inspector.locator("#filter").fill("")
    expect(inspector.locator(".row")).to_have_count(3)
    for row in inspector.locator(".row").all():
        row.click()
        expect(inspector.locator("#details .title")).to_be_visible()
        expect(inspector.locator("#details")).to_contain_text(re.compile("<img src=x|%3Cimg"))
        assert inspector.locator("#details img, #details script, #rows img").count() == 0
    inspector.keyboard.press("r")
    assert inspector.locator("#replay-dialog img").count() == 0
    inspector.keyboard.press("Escape")
    inspector.evaluate(
        "const given = document.createElement('div'); given.innerHTML = "
        f"{json.dumps(HOSTILE)}; document.body.append(given)"
    )
    inspector.wait_for_timeout(200)
    assert inspector.title() == "labgate inspector", "even as markup the policy stops it"


def test_an_archive_of_chromiums_is_read(
    bench: Inspect, inspector: Page, browser: Browser, tmp_path: Path
) -> None:
    archive = tmp_path / "chromium.har"
    visiting = browser.new_context(record_har_path=archive, record_har_content="embed")
    origin = f"http://127.0.0.1:{bench.port}"
    visiting.add_cookies([{"name": "login", "value": SECRET, "url": origin}])
    page = visiting.new_page()
    page.goto(f"{origin}/api/recorded?token={SECRET}")
    visiting.close()
    assert SECRET in archive.read_text()
    inspector.get_by_role("button", name="Clear").click()
    read_in(inspector, archive)
    inspector.locator("#filter").fill("path:/api/recorded")
    inspector.locator(".row").first.click()
    details = inspector.locator("#details")
    expect(details.locator(".title")).to_contain_text("GET /api/recorded?token=[redacted]")
    expect(details).to_contain_text("login=[redacted]")
    assert SECRET not in inspector.content()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_what_was_read_in_is_marked_and_explained(
    bench: Inspect, inspector: Page, tmp_path: Path, colours: Any
) -> None:
    inspector.emulate_media(color_scheme=colours)
    ask(bench, "GET", "/api/live")
    read_in(inspector, write(tmp_path, entries(exchange(status=403, target="/api/archived"))))
    row = inspector.locator(".row", has_text="/api/archived")
    expect(row.locator(".tags")).to_contain_text("read in")
    expect(row.locator(".tags")).to_contain_text("login-missing")
    expect(inspector.locator(".row", has_text="/api/live")).not_to_contain_text("read in")
    row.click()
    expect(inspector.locator("#details .explain")).to_contain_text("neither Cookie nor token")
    shoot(inspector, f"inspector-read-in-{colours}")


def test_chromium_reads_ours(
    bench: Inspect, inspector: Page, context: BrowserContext, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{bench.port}/.labgate/health?exported"
    live = context.new_page()
    shown = live.goto(address)
    assert shown is not None
    inspector.locator("#filter").fill("path:/.labgate/health?exported")
    expect(inspector.locator(".row")).to_have_count(1)
    with inspector.expect_download() as download:
        inspector.get_by_role("button", name="Export HAR").click()
    archive = tmp_path / "ours.har"
    download.value.save_as(archive)
    replayed = context.new_page()
    replayed.route_from_har(archive, not_found="abort")
    again = replayed.goto(address)
    assert again is not None
    assert (again.status, again.text()) == (shown.status, shown.text())
    assert again.headers["content-type"] == shown.headers["content-type"]
    with pytest.raises(Exception, match="ERR_FAILED"):
        replayed.goto(f"http://127.0.0.1:{bench.port}/api/not-in-it")


def test_one_box_says_why_labgate_refused(tmp_path: Path, page: Page) -> None:
    upstream = f"http://127.0.0.1:{free_port()}"
    with Labgate(tmp_path, "serve", "--upstream", upstream, "--inspect") as labgate:
        with_socket(labgate)
        with Inspect(tmp_path) as inspect:
            page.goto(inspect.page)
            labgate.ask("PUT", "/api/contents/a", Origin="https://evil.example")
            page.locator(".row", has_text="/api/contents/a").click()
            box = page.locator("#details .explain")
            expect(box).to_have_count(1)
            expect(box).to_contain_text("labgate answered 403 because Origin https://evil.example")
            expect(box).to_contain_text("by rule origin; Jupyter has not seen it")
            expect(page.locator(".row .size")).not_to_have_text("0 B")
            page.get_by_role("button", name="Send again").click()
            expect(page.locator("#replay-own")).to_have_count(0)
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("button", name="Capture: on").click()
            expect(page.locator("#capture")).to_have_text("Capture: off")
            until(lambda: "the capture was switched off" in inspect.log, lambda: inspect.log)


@pytest.mark.parametrize(("width", "height"), [(1200, 800), (800, 1200), (400, 700)])
def test_the_form_to_send_again_has_its_buttons_in_view(
    bench: Inspect, inspector: Page, width: int, height: int
) -> None:
    inspector.set_viewport_size({"width": width, "height": height})
    ask(bench, "GET", "/api/again", **{f"X-Field-{n}": "x" * 90 for n in range(12)})
    inspector.locator(".row", has_text="/api/again").click()
    inspector.get_by_role("button", name="Send again").click()
    shoot(inspector, f"inspector-replay-{width}")
    for name in ("Send", "Cancel"):
        expect(inspector.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)


def test_what_does_not_fit_into_a_row_ends_with_an_ellipsis(
    bench: Inspect, inspector: Page
) -> None:
    inspector.set_viewport_size({"width": 800, "height": 1200})
    ask(bench, "GET", "/api/observed/by/somebody/with/a/long/path", Origin="https://evil.example")
    row = inspector.locator(".row", has_text="/api/observed")
    expect(row.locator(".tags")).to_be_visible()
    shoot(inspector, "inspector-row-800")
    assert row.locator(".tags").evaluate(
        "(tags) => getComputedStyle(tags).textOverflow === 'ellipsis' "
        "&& tags.getBoundingClientRect().right <= tags.parentElement.getBoundingClientRect().right"
    )


@pytest.mark.deployment
def test_the_page_lives_through_a_restart(tmp_path: Path, page: Page) -> None:
    labgate = Labgate(
        tmp_path,
        "serve",
        "--upstream",
        f"http://127.0.0.1:{free_port()}",
        "--inspect",
        environment={"LABGATE_INSPECTOR__ADDRESS": f"127.0.0.1:{free_port()}"},
    )
    with labgate:
        with_socket(labgate)
        with Inspect(tmp_path) as inspect:
            page.goto(inspect.page)
        labgate.ask("GET", "/api/before")
        page.locator(".row", has_text="/api/before").click()
        expect(page.locator("#details .title")).to_contain_text("/api/before")
    expect(page.locator("#banner")).to_contain_text("No connection to labgate")
    with labgate:
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator("#details")).to_contain_text("an earlier run of labgate")
        labgate.ask("GET", "/api/after")
        page.locator(".row", has_text="/api/after").click()
        expect(page.locator("#details .title")).to_contain_text("/api/after")
    shutil.rmtree(tmp_path / "labgate")
    with labgate:
        expect(page.locator("#banner")).to_contain_text("does not know this page")

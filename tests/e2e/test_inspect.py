"""``labgate inspect``: a running labgate's requests, and a bench that only observes."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from proxy.admin.socket_path import socket_path
from tests.e2e.conftest import shoot
from tests.e2e.programs import TOKEN, Answer, Jupyter, Labgate, Program, free_port, until
from tests.e2e.test_lab import NOTEBOOK, run_cell
from tests.e2e.test_websocket import dial, login_cookie

EVIL = "https://evil.example"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class Inspect(Program):
    """``labgate inspect`` beside a labgate, or a bench when it has an upstream."""

    name = "inspect"

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__(folder, {"XDG_STATE_HOME": str(folder)})
        self.port = free_port()
        self._arguments = arguments

    def command(self) -> list[str]:
        port = ["--port", str(self.port)] if "--upstream" in self._arguments else []
        return [sys.executable, "-m", "proxy", "inspect", *self._arguments, *port]

    def ready(self) -> bool:
        return "\nEnd  " in self.log

    @property
    def page(self) -> str:
        """The page's address, with its token."""
        found = re.search(r"(?m)^Page +(\S+)$", self.log)
        assert found, self.log
        return found[1]

    @property
    def rows(self) -> list[str]:
        """The lines that are whole: it may be writing another one."""
        return self.stdout.read_text().rpartition("\n")[0].splitlines()


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with Jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


def serving(folder: Path, jupyter: Jupyter, *arguments: str) -> Labgate:
    return Labgate(folder, "serve", "--upstream", jupyter.upstream, *arguments)


def with_socket(labgate: Labgate) -> Labgate:
    """It makes its admin socket when nobody waits for its ports any more."""
    path = socket_path(labgate.folder / "labgate")
    until(path.exists, "no admin socket")
    return labgate


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_request_of_a_running_labgate(tmp_path: Path, jupyter: Jupyter, workers: str) -> None:
    with serving(tmp_path, jupyter, "--workers", workers) as labgate:
        with_socket(labgate)
        labgate.ask("GET", "/api/before")
        with Inspect(tmp_path, "--json") as inspect:
            cookie = login_cookie(labgate)
            labgate.ask("GET", "/api/contents", Origin=EVIL, Cookie=cookie)
            with dial(labgate, "/api/events/subscribe", cookie):
                pass
            seen: dict[str, Any] = until(
                lambda: by_path(inspect) if len(by_path(inspect)) >= 3 else {}, "too few rows"
            )
            inspect.stop()
        assert set(seen) == {"/lab", "/api/contents", "/api/events/subscribe"}
        refused = seen["/api/contents"]
        assert (refused["status"], refused["rule"]) == (403, "origin")
        assert refused["symptom"] == "origin-refused"
        assert EVIL in refused["explanation"]
        said = f"origin-refused: labgate answered 403 because Origin {EVIL} is not"
        until(lambda: said in labgate.log, lambda: labgate.log)
        socket = seen["/api/events/subscribe"]
        assert (socket["status"], socket["websocket"]) == (101, True)
        with Inspect(tmp_path, "--json") as again:
            assert again.log.count("switches the capture off again") == 1
        text = json.dumps(seen)
    for secret in (TOKEN, *(pair.partition("=")[2] for pair in cookie.split("; "))):
        assert secret not in text


def test_sending_again_through_the_rules_of_a_worker(
    tmp_path: Path, jupyter: Jupyter, page: Page
) -> None:
    with serving(tmp_path, jupyter, "--workers", "2") as labgate:
        with_socket(labgate)
        with Inspect(tmp_path) as inspect:
            labgate.ask("GET", "/api/status", Origin=EVIL)
            page.goto(inspect.page)
            page.locator(".row").first.click()
            expect(page.locator("#details .title")).to_contain_text("403")
            page.keyboard.press("r")
            page.locator("#replay-fields").fill("")
            page.locator("#replay-token").fill(TOKEN)
            page.locator("#through-rules").check()
            page.locator("#replay-dialog button[type=submit]").click()
            expect(page.locator("#details .title")).to_contain_text("200")
            expect(page.locator("#details")).to_contain_text("X-Forwarded-For")
            expect(page.locator("#details")).not_to_contain_text(TOKEN)


def by_path(inspect: Inspect) -> dict[str, Any]:
    exchanges = [json.loads(line) for line in inspect.rows]
    return {exchange["target"].partition("?")[0]: exchange for exchange in exchanges}


def test_rows_details_and_off(tmp_path: Path, jupyter: Jupyter) -> None:
    with serving(tmp_path, jupyter, "--inspect") as labgate:
        with_socket(labgate)
        labgate.ask("GET", "/api")
        labgate.ask("POST", "/api/contents", Origin=EVIL)
        with Inspect(tmp_path, "--only", "errors") as inspect:
            labgate.ask("GET", "/api")
            labgate.ask("POST", "/api/contents", Origin=EVIL)
            until(lambda: len(inspect.rows) >= 2, "no row")
            row, why, *_ = inspect.rows
            assert re.fullmatch(r" +4 [\d:.]+ 403 POST   /api/contents  .*refused: origin.*", row)
            assert EVIL in why
        for arguments, expected in (
            (["1"], "~ Host: localhost:"),
            (["--off"], "The capture is off."),
        ):
            once = Inspect(tmp_path, *arguments).spawn()
            assert once.running.wait(60) == 0, once.log
            assert expected in once.stdout.read_text()


def test_two_that_look_do_not_disturb_each_other(tmp_path: Path, jupyter: Jupyter) -> None:
    with serving(tmp_path, jupyter) as labgate:
        with_socket(labgate)
        with Inspect(tmp_path, "--json") as first:
            with Inspect(tmp_path, "--json") as second:
                pass
            assert second.running.poll() is not None
            labgate.ask("GET", "/api/seen")
            until(lambda: by_path(first), "the second one switched the capture off")
            off = Inspect(tmp_path, "--off").spawn()
            assert off.running.wait(60) == 0
            until(lambda: "the capture was switched off" in first.log, lambda: first.log)
            with Inspect(tmp_path, "--json"):
                until(lambda: "the capture is on again" in first.log, lambda: first.log)


def test_nothing_hostile_reaches_the_terminal(tmp_path: Path, jupyter: Jupyter) -> None:
    """C1 controls are octets that a field may have; content may have any."""
    content = b"\x1b]0;owned\x07\x1b[2J"
    with serving(tmp_path, jupyter) as labgate:
        with_socket(labgate)
        with Inspect(tmp_path, "--content", "--json") as inspect:
            note, kind = "\x9b31mred", "text/plain"
            labgate.ask("POST", "/api/hostile", content, X_Note=note, Content_Type=kind)
            until(lambda: inspect.rows, "no row")
            once = Inspect(tmp_path / "once", "1")
            once.folder.mkdir()
            once.environment["XDG_STATE_HOME"] = str(tmp_path)
            once.stdout, once.stderr = tmp_path / "once.out", tmp_path / "once.err"
            once.spawn()
            assert once.running.wait(60) == 0, once.log
            shown = once.stdout.read_text()
        for text in (shown, inspect.stdout.read_text()):
            assert "31mred" in text
            assert "owned" in text
            assert all(line.isprintable() for line in text.split("\n")), repr(text)


def captures(folder: Path) -> bool:
    """Whether the labgate with this state folder captures."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path(folder / "labgate")))
        client.sendall(b"GET /inspector/api/state HTTP/1.0\r\nHost: labgate\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    on: bool = json.loads(answer.partition(b"\r\n\r\n")[2])["on"]
    return on


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_it_leaves_the_capture_as_it_was(
    tmp_path: Path, jupyter: Jupyter, number: signal.Signals
) -> None:
    with serving(tmp_path, jupyter) as labgate:
        with_socket(labgate)
        assert not captures(tmp_path)
        with Inspect(tmp_path) as inspect:
            assert captures(tmp_path)
            # A hasty second time changes nothing.
            inspect.running.send_signal(number)
            assert inspect.stop(number) == 0
            assert "Traceback" not in inspect.log
        assert not captures(tmp_path)


def test_ended_while_labgate_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / "labgate"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        path = socket_path(folder)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # Outside the folder, where the folder's path is long: an earlier run may have left it.
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.listen()
        inspect = Inspect(tmp_path).spawn()
        client, _ = listening.accept()
        with client:
            assert inspect.stop(signal.SIGINT) == 0
    assert "Traceback" not in inspect.log


def test_a_bench_ends_with_ctrl_c(tmp_path: Path, jupyter: Jupyter) -> None:
    with Inspect(tmp_path, "--upstream", jupyter.upstream) as running:
        assert running.stop(signal.SIGINT) == 0
        assert "Traceback" not in running.log


def test_a_bench_says_what_is_wrong_with_its_upstream(tmp_path: Path, jupyter: Jupyter) -> None:
    upstream = jupyter.upstream.replace("http://", "https://")
    with Inspect(tmp_path, "--upstream", upstream) as bench:
        said = f"requests get 503. Give it as --upstream {jupyter.upstream}."
        until(lambda: said in bench.log, lambda: bench.log)


def test_a_taken_port_names_the_option_of_inspect(tmp_path: Path, jupyter: Jupyter) -> None:
    with Inspect(tmp_path, "--upstream", jupyter.upstream) as first:
        (tmp_path / "second").mkdir()
        second = Inspect(tmp_path / "second", "--upstream", jupyter.upstream)
        second.port = first.port
        second.spawn()
        assert second.running.wait(60) == 1
        assert "ends with Ctrl-C. Or choose another port with --port." in second.log


def test_no_labgate_runs(tmp_path: Path) -> None:
    (tmp_path / "labgate").mkdir()
    inspect = Inspect(tmp_path).spawn()
    assert inspect.running.wait(60) == 1
    assert "No labgate with the state folder" in inspect.log
    assert "labgate inspect --upstream" in inspect.log


def ask(inspect: Inspect, method: str, target: str, **fields: str) -> Answer:
    """A request to the bench, with any Host."""
    bench = Labgate(inspect.folder, "inspect", tls=False)
    bench.http_port = inspect.port
    return bench.ask(method, target, **fields)


HOLES = [
    pytest.param("GET", "/api/contents", {"Origin": EVIL}, {404}, id="the API"),
    pytest.param("POST", "/api/contents", {"Origin": EVIL}, {403, 404}, id="a POST"),
    pytest.param("GET", "/files/a.txt", {"Referer": f"{EVIL}/"}, {403}, id="files"),
    pytest.param("GET", "/api/events/subscribe", {"Origin": EVIL} | UPGRADE, {403}, id="a socket"),
    pytest.param(
        "GET", "/terminals/websocket/{terminal}", {"Origin": EVIL} | UPGRADE, {403}, id="terminal"
    ),
    pytest.param(
        "GET",
        "/api",
        {"Host": "evil.example:80", "Origin": "http://evil.example:80"},
        {403},
        id="a name that was made to point here",
    ),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, jupyter: Jupyter) -> Iterator[Inspect]:
    folder = tmp_path_factory.mktemp("bench")
    with Inspect(folder, "--upstream", jupyter.upstream, "--json") as running:
        yield running


@pytest.mark.parametrize(("method", "target", "fields", "statuses"), HOLES)
def test_observing_opens_no_hole(
    bench: Inspect, method: str, target: str, fields: dict[str, str], statuses: set[int]
) -> None:
    """With a login cookie, as the page of an attacker would have it."""
    login = ask(bench, "GET", f"/lab?token={TOKEN}")
    cookie = "; ".join(value.partition(";")[0] for value in login.fields.get_all("Set-Cookie", []))
    assert ask(bench, "GET", "/api/contents", Cookie=cookie).status == 200
    if "{terminal}" in target:
        # Jupyter asks first whether it is there.
        made = ask(bench, "POST", "/api/terminals", Authorization=f"token {TOKEN}")
        target = target.format(terminal=json.loads(made.body)["name"])
        own = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{bench.port}"}
        assert ask(bench, "GET", target, **UPGRADE, **own).status == 101
    assert ask(bench, method, target, Cookie=cookie, **fields).status in statuses


def test_what_would_be_refused_is_named(bench: Inspect) -> None:
    ask(bench, "GET", "/api/observed", Origin=EVIL)
    found: dict[str, Any] = until(lambda: by_path(bench).get("/api/observed", {}), "not printed")
    assert (found["rule"], found["would_refuse"]) == ("origin", True)
    assert found["sent_up"] is not None


def test_a_login_that_lacks_xsrf(bench: Inspect) -> None:
    answer = ask(bench, "POST", "/login?next=%2Flab")
    assert answer.status == 403
    found: dict[str, Any] = until(lambda: by_path(bench).get("/login", {}), "not printed")
    assert (found["symptom"], "login page" in found["explanation"]) == ("xsrf-lost", True)


def test_the_name_of_a_proxy_in_front_is_let_in(tmp_path: Path, jupyter: Jupyter) -> None:
    named = ["--domain", "localhost:8443", "--domain", "lab.localhost:443"]
    with Inspect(tmp_path, "--upstream", jupyter.upstream, "--json", *named) as bench:
        assert f"open http://localhost:{bench.port} instead of it" in bench.log
        for host in ("localhost:8443", "lab.localhost", "localhost:9999", "lab.example.org"):
            origin = f"https://{host}"
            answer = ask(bench, "GET", f"/api?{host}", Host=host, Origin=origin)
            assert answer.status == (403 if "lab." in host else 200)
        until(lambda: len(bench.rows) == 4, lambda: f"shown: {bench.rows}")
    shown = [json.loads(row) for row in bench.rows]
    assert [one["rule"] for one in shown] == ["", "", "host", "host"]
    assert "start with --domain localhost:9999" in shown[2]["reason"]
    assert "where it is named with --domain lab.example.org" in shown[3]["reason"]
    assert "Jupyter answered 403 because Host" in shown[3]["explanation"]


def test_behind_a_proxy_the_rows_say_once_what_to_do(tmp_path: Path, jupyter: Jupyter) -> None:
    front, name = {"Origin": "https://localhost:8443"}, "localhost:8443"
    with Inspect(tmp_path, "--upstream", jupyter.upstream) as bench:
        for number in range(3):
            ask(bench, "GET", f"/static/favicon.ico?{number}", **front)
        ask(bench, "GET", "/static/favicon.ico?named", Host=name, **front)
        until(lambda: len(bench.rows) >= 6, lambda: f"shown: {bench.rows}")
    first, why, second, third, named, hint = bench.rows
    for shown in (first, second, third):
        assert shown.endswith("would refuse: origin")
    assert "proxy_set_header Host $http_host), and start with --domain localhost:8443" in why
    assert named.endswith("would refuse: host")
    assert "start with --domain localhost:8443" in hint


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"LABGATE_SITE__DOMAINS": "lab.example.org"}, "site.domains: lab.example.org"),
        ({"LABGATE_LISTEN__BIND": "0.0.0.0"}, "listen.bind: 0.0.0.0"),
    ],
)
def test_observing_is_for_this_machine_alone(
    tmp_path: Path, jupyter: Jupyter, environment: dict[str, str], sentence: str
) -> None:
    observing = {"LABGATE_INSPECTOR__OBSERVE": "true"}
    labgate = Labgate(
        tmp_path,
        "serve",
        "--upstream",
        jupyter.upstream,
        environment=observing | environment,
    ).spawn()
    assert labgate.running.wait(60) == 2
    assert sentence in labgate.log


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--upstream", "http://h:1", "--domain", "lab.example.org"], "--domain: lab.example.org"),
        (["--domain", "localhost:8443"], "--domain needs --upstream, too"),
        (["--port", "8081"], "--port needs --upstream, too"),
        (["--ca", "ca.pem"], "--ca needs --upstream, too"),
        (["--insecure"], "--insecure needs --upstream, too"),
    ],
)
def test_only_a_bench_on_this_machine_has_names_and_ports(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    inspect = Inspect(tmp_path, *arguments).spawn()
    assert inspect.running.wait(60) == 2
    assert sentence in inspect.log


@pytest.mark.chromium
class TestPage:
    def test_a_notebook_in_words(
        self, bench: Inspect, jupyter: Jupyter, context: BrowserContext, page: Page
    ) -> None:
        (jupyter.work / "inspected.ipynb").write_text(json.dumps(NOTEBOOK))
        lab = context.new_page()
        lab.goto(f"http://localhost:{bench.port}/lab/tree/inspected.ipynb?reset&token={TOKEN}")
        run_cell(lab, "print(6 * 7)")
        expect(lab.get_by_text("42", exact=True)).to_be_visible()

        page.goto(bench.page)
        assert "token" not in page.url
        page.locator("#filter").fill("is:ws path:/api/kernels")
        row = page.locator(".row")
        expect(row).to_have_count(1)
        row.click()
        details = page.locator("#details")
        expect(details.get_by_text("shell execute_request").first).to_be_visible()
        expect(details.get_by_text("iopub execute_input [1]").first).to_be_visible()
        expect(details.get_by_text("iopub status idle").first).to_be_visible()
        expect(details).not_to_contain_text("6 * 7")
        shoot(page, "inspector-kernel")

    def test_the_explanation_comes_first(self, bench: Inspect, page: Page) -> None:
        ask(bench, "PUT", "/api/contents/A.ipynb", Origin=EVIL)
        page.goto(bench.page)
        page.locator("#filter").fill("symptom:origin-refused path:/api/contents/A")
        expect(page.locator(".row")).to_have_count(1)
        page.locator(".row").click()
        expect(page.locator("#details .explain").first).to_contain_text("origin-refused")
        expect(page.locator("#details tr.same").first).to_be_visible()
        shoot(page, "inspector-explanation")

    def test_a_websocket_that_works_shows_no_loss(self, bench: Inspect, page: Page) -> None:
        login = ask(bench, "GET", f"/lab?token={TOKEN}")
        cookies = login.fields.get_all("Set-Cookie", [])
        cookie = "; ".join(value.partition(";")[0] for value in cookies)
        own = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{bench.port}"}
        assert ask(bench, "GET", "/api/events/subscribe?works", **UPGRADE, **own).status == 101
        page.goto(bench.page)
        page.locator("#filter").fill("path:/api/events/subscribe?works")
        expect(page.locator(".row")).to_have_count(1)
        page.locator(".row").click()
        expect(page.locator("#details .title")).to_contain_text("101")
        fields = page.locator("#details section").first.locator("tbody tr")
        for name, value in (("Connection", "Upgrade"), ("Upgrade", "websocket")):
            rows = [one for one in fields.all() if one.locator("td").nth(1).inner_text() == name]
            assert [one.get_attribute("class") for one in rows] == ["same"]
            assert rows[0].locator("td").nth(3).inner_text() == value
        shoot(page, "inspector-websocket")

    def test_what_was_captured_is_text(self, bench: Inspect, page: Page) -> None:
        hostile = "<img src=x onerror=document.title='owned'>"
        ask(bench, "GET", "/api/hostile", X_Note=hostile)
        page.goto(bench.page)
        page.locator("#filter").fill("path:/api/hostile")
        expect(page.locator(".row")).to_have_count(1)
        page.locator(".row").click()
        expect(page.locator("#details")).to_contain_text(hostile)
        assert page.title() == "labgate inspector"

    @pytest.mark.deployment
    def test_keys_and_sending_again(self, bench: Inspect, page: Page) -> None:
        ask(bench, "GET", "/api/kernelspecs?mine")
        page.goto(bench.page)
        expect(page.locator(".row").first).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("path:/api/kernelspecs?mine")
        page.keyboard.press("Enter")
        expect(page.locator(".row")).to_have_count(1)
        page.keyboard.press("j")
        expect(page.locator("#details .title")).to_contain_text("403")
        page.keyboard.press("r")
        page.locator("#replay-token").fill(TOKEN)
        page.locator("#replay-dialog button[type=submit]").click()
        expect(page.locator("#details .title")).to_contain_text("200")
        expect(page.locator("#details")).not_to_contain_text(TOKEN)

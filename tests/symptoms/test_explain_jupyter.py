"""What a real Jupyter answers to heads with one thing wrong is explained by that thing."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie

import pytest

from proxy.rules.head import Arrival, Field, RequestHead, ResponseHead
from proxy.rules.site import WebOrigin, make_site
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from tests.e2e.programs import TOKEN, Jupyter

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

SAVED = b'{"type": "file", "format": "text", "content": ""}'
PUBLIC = WebOrigin("https", "lab.example.org", 443)


@dataclass
class Browser:
    """Talks to Jupyter as a proxy does that changes what a row says."""

    jupyter: Jupyter
    cookies: SimpleCookie

    @property
    def fields(self) -> dict[str, str]:
        """Everything right."""
        host = f"127.0.0.1:{self.jupyter.port}"
        return {
            "Host": host,
            "Origin": f"http://{host}",
            "Referer": f"http://{host}/lab",
            "Cookie": "; ".join(f"{name}={one.value}" for name, one in self.cookies.items()),
            "X-XSRFToken": self.cookies["_xsrf"].value,
        }

    def ask(self, line: str, changes: dict[str, str | None]) -> Evidence:
        """Send the right fields with these changes; None leaves one out."""
        method, target = line.split(" ")
        sent = {name: value for name, value in (self.fields | changes).items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", self.jupyter.port, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        body = {"PUT": SAVED, "PATCH": b'{"path": "b.txt"}'}.get(method)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        content = b"" if response.status == 101 else response.read()
        connection.close()
        fields: tuple[Field, ...] = tuple((k.encode(), v.encode()) for k, v in sent.items())
        head = RequestHead(method.encode(), target.encode(), (1, 1), fields, Arrival("::1"))
        site = make_site((PUBLIC,), WebOrigin("http", "127.0.0.1", self.jupyter.port))
        answered = ResponseHead(response.status, b"", ())
        return Evidence(site, head, response.status, None, head, answered, content)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Jupyter(tmp_path_factory.mktemp("explain")) as jupyter:
        (jupyter.work / "file.txt").write_text("x")
        connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
        connection.request("GET", f"/lab?token={TOKEN}")
        response = connection.getresponse()
        response.read()
        cookies = SimpleCookie()
        for value in response.headers.get_all("Set-Cookie", []):
            cookies.load(value)
        connection.close()
        yield Browser(jupyter, cookies)


WEBSOCKET: dict[str, str | None] = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
EVENTS = "GET /api/events/subscribe"
WRITE = "PUT /api/contents/file.txt"
EVIL: dict[str, str | None] = {"Origin": "https://evil.example"}

ROWS: list[tuple[str, dict[str, str | None], int, str | None]] = [
    ("GET /api/me", {}, 200, None),
    (EVENTS, WEBSOCKET, 101, None),
    ("GET /files/file.txt", {}, 200, None),
    (WRITE, {"Origin": str(PUBLIC)}, 404, "origin-refused"),
    (WRITE, {"Origin": "null"}, 404, "origin-refused"),
    (WRITE, EVIL, 404, "origin-refused"),
    (WRITE, {"X-XSRFToken": None}, 403, "xsrf-lost"),
    (WRITE, {"X-XSRFToken": "2|0|0|0"}, 403, "xsrf-lost"),
    (WRITE, {"Cookie": None}, 403, "cookies-lost"),
    ("GET /lab", {"Host": "lab.example.org"}, 403, "host-refused"),
    ("GET /api/me", {"Cookie": None}, 403, "cookies-lost"),
    ("GET /api/me", {"Cookie": None, "Origin": None}, 403, "login-missing"),
    ("GET /api/me", {"Cookie": "_xsrf=a"}, 403, "login-missing"),
    ("PUT /api/contents/no-such-folder/a.txt", {}, 500, "not-found"),
    ("PATCH /api/contents/no-such-folder/a.txt", {}, 404, "not-found"),
    ("GET /api/me", {"Cookie": None, "Authorization": "token wrong"}, 403, "login-refused"),
    ("GET /files/file.txt", {"Referer": None, "X-XSRFToken": None}, 403, "referer-refused"),
    (
        "GET /files/file.txt",
        {"Referer": "https://lab.example.org/lab", "X-XSRFToken": None},
        403,
        "referer-refused",
    ),
    (EVENTS, WEBSOCKET | {"Upgrade": None}, 400, "websocket-not-upgraded"),
    (EVENTS, WEBSOCKET | {"Connection": "close"}, 400, "websocket-not-upgraded"),
    (EVENTS, WEBSOCKET | EVIL, 403, "origin-refused"),
    (EVENTS, WEBSOCKET | {"Cookie": None}, 403, "websocket-refused"),
    (EVENTS, WEBSOCKET | {"Sec-WebSocket-Version": "8"}, 426, "websocket-version"),
    (EVENTS, {}, 400, "websocket-not-upgraded"),
    ("GET /api/contents/nothing.txt", {}, 404, "not-found"),
    ("GET /elsewhere/lab", {}, 404, "not-found"),
]


@pytest.mark.parametrize(("line", "changes", "status", "symptom"), ROWS)
@pytest.mark.parametrize("with_content", [True, False], ids=["content", "heads"])
def test_jupyters_answer_is_explained(
    browser: Browser,
    line: str,
    changes: dict[str, str | None],
    status: int,
    symptom: str | None,
    with_content: bool,
) -> None:
    evidence = browser.ask(line, changes)
    assert evidence.status == status
    if not with_content:
        evidence = Evidence(
            evidence.site, evidence.received, status, None, evidence.sent, evidence.answered
        )
        # Only its content tells why Jupyter failed.
        symptom = "jupyter-error" if status == 500 else symptom
    told = explain(evidence)
    assert (told and told.symptom.id) == symptom, told

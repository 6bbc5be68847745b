"""What to do first at an address that is not the right one: a sentence, not lines for servers."""

from __future__ import annotations

import asyncio
import http.server
import re
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from aiohttp import web

from tests.doctor.certificates import Certificates
from tests.doctor.python_proxy import serving
from tests.doctor.test_secrets import labgate_doctor
from tests.e2e.programs import Nginx, free_port


def plainly(out: str) -> str:
    """Without the places where lines were folded."""
    return " ".join(out.split())


def servers_named(out: str) -> list[str]:
    """Whose lines are printed or offered."""
    return re.findall(r"(?m)^ +(?:Mend|Or|And)\S* in (.*):$|--mend-for", out)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """``python -m http.server``."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def is_no_jupyter(code: int, out: str) -> None:
    assert code == 1, out
    assert "What answers at this address is no Jupyter." in plainly(out)
    assert "not-jupyter (error)" in out
    assert "Correct the address: its host, its port, or the path" in plainly(out)
    assert servers_named(out) == []


async def test_a_server_of_files_is_no_jupyter(files: str) -> None:
    code, out = await labgate_doctor(files, LABGATE_DOCTOR_TOKEN="x")
    is_no_jupyter(code, out)
    assert "SimpleHTTP" in out


async def test_an_application_that_answers_everything_is_no_jupyter() -> None:
    async def page(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="<h1>My shop</h1>", content_type="text/html")

    async with serving(page) as url:
        is_no_jupyter(*await labgate_doctor(url, LABGATE_DOCTOR_TOKEN="x"))


async def test_a_jupyter_with_another_path_is_one() -> None:
    """Its own page of errors says so: the path is what has to be mended."""

    async def missing(_request: web.BaseRequest) -> web.Response:
        policy = {"Content-Security-Policy": "report-uri /lab/api/security/csp-report"}
        return web.Response(status=404, text="<h1>404</h1>", headers=policy)

    async with serving(missing) as url:
        code, out = await labgate_doctor(url, LABGATE_DOCTOR_TOKEN="x")
    assert code == 1
    assert "base-url (error)" in out


@pytest.mark.nginx
async def test_plain_http_at_a_port_of_https(tmp_path: Path, certificates: Certificates) -> None:
    port = free_port()
    server = f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificates.cert("good")};
        ssl_certificate_key {certificates.key("good")};
    }}"""
    with Nginx(tmp_path, port, server):
        code, out = await labgate_doctor(f"http://localhost:{port}", LABGATE_DOCTOR_TOKEN="x")
    assert code == 1
    assert "tls-expected (error)" in out
    assert f"https://: labgate doctor https://localhost:{port}/" in plainly(out)
    assert servers_named(out) == []


async def test_plain_http_at_a_server_that_hangs_up(certificates: Certificates) -> None:
    """As HAProxy and tornado do: they do not say why."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert("good"), certificates.key("good"))
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        code, out = await labgate_doctor(f"http://127.0.0.1:{port}", LABGATE_DOCTOR_TOKEN="x")
    assert code == 1
    assert f"https://: labgate doctor https://127.0.0.1:{port}/" in plainly(out)


async def test_an_address_without_a_scheme_may_be_one_of_plain_http() -> None:
    async def version(_request: web.BaseRequest) -> web.Response:
        return web.json_response({"version": "2.0"})

    async with serving(version) as url:
        code, out = await labgate_doctor(url.removeprefix("http://"), LABGATE_DOCTOR_TOKEN="x")
    assert code == 1
    assert f"Mend Name the address with http:// (labgate doctor {url}/). If" in plainly(out)
    assert servers_named(out) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_ssh_server_is_called_so(scheme: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
        await reader.read(2**16)
        writer.write(b"Invalid SSH identification string.\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        code, out = await labgate_doctor(f"{scheme}://127.0.0.1:{port}", LABGATE_DOCTOR_TOKEN="x")
    is_no_jupyter(code, out)
    assert "what came is no HTTP: an SSH server is there" in plainly(out)
    assert "Expected HTTP" not in out
    assert "message" not in out


async def test_a_wrong_token_is_to_be_put_right_and_nothing_else() -> None:
    """The password of no proxy is taken away, and neither is Jupyter's."""
    hostile = Jupyters()
    async with serving(hostile.handle) as url:
        code, out = await labgate_doctor(url, LABGATE_DOCTOR_TOKEN="wrong")
    assert code == 1
    assert "login-refused (error)" in out
    assert "Mend Give the right token, and run labgate doctor again. `jupyter server list`" in (
        plainly(out)
    )
    assert servers_named(out) == []
    assert not re.search("auth_basic|hashed_password", out)


async def test_a_password_of_the_proxy_need_not_go() -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="Lab"', "Server": "nginx"}
    async with serving(Jupyters(challenge).handle) as url:
        code, out = await labgate_doctor(url, LABGATE_DOCTOR_TOKEN="wrong")
    assert code == 1
    assert "login-in-front (note)" in out
    assert "login-refused" not in out
    assert "Mend Keep that password where it protects this Jupyter" in plainly(out)
    assert out.index("Keep that password") < out.index("Or in nginx:")
    assert "To keep the password, examine what is behind it: labgate doctor http://" in (
        plainly(out).replace("# ", "")
    )


class Jupyters:
    """Answers as Jupyter does up to the login, which is refused with these fields."""

    def __init__(self, fields: dict[str, str] | None = None) -> None:
        self._fields = fields or {}

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        if request.path == "/api":
            return web.json_response({"version": "2.0"})
        if request.path != "/login":
            return web.Response(status=403)
        if request.method == "POST":
            return web.Response(status=401, headers=self._fields)
        page = web.Response(text="<h1>Log in</h1>", content_type="text/html")
        page.set_cookie("_xsrf", "2|1")
        return page

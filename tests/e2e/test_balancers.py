"""labgate behind a real HAProxy and a real nginx: whose address it believes.

All are on loopback: the balancers are 127.0.0.1, the clients come from other addresses.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.programs import (
    ROOT,
    Answer,
    Labgate,
    Listening,
    Nginx,
    Program,
    free_port,
    until,
)
from tests.upstreams import OK, Upstream, Visit, upstream

ALLOWED, SHUT_OUT = "127.0.0.3", "127.0.0.4"
TRUSTING = ("--trusted-proxy", "127.0.0.1", "--allow", ALLOWED)


class HAProxy(Listening):
    """Passes TCP on, with the PROXY protocol before it; asks after labgate ten times a second."""

    name = "haproxy"

    def __init__(self, folder: Path, announcing: str, secure: int, plain: int) -> None:
        super().__init__(folder)
        self.port, self.plain_port = free_port(), free_port()
        self._configuration = folder / "haproxy.cfg"
        check = f"{announcing} check inter 100ms"
        self._configuration.write_text(f"""\
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout check 10s
listen secure
    bind 127.0.0.1:{self.port}
    server labgate 127.0.0.1:{secure} {check}
listen plain
    bind 127.0.0.1:{self.plain_port}
    server labgate 127.0.0.1:{plain} {check}
""")

    def command(self) -> list[str]:
        return ["/usr/sbin/haproxy", "-db", "-f", str(self._configuration)]


def appending_nginx(folder: Path, plain: int) -> Nginx:
    """Terminates nothing here, appends its client to X-Forwarded-For as everybody has it do."""
    port = free_port()
    return Nginx(
        folder,
        port,
        f"""\
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{plain};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}""",
    )


@asynccontextmanager
async def running(*programs: Program) -> AsyncIterator[None]:
    try:
        for program in programs:
            await asyncio.to_thread(program.start)
        yield
    finally:
        for program in programs:
            program.kill()


async def always_ok(visit: Visit) -> None:
    while True:
        await visit.head()
        await visit.say(OK)


async def ask(connection: http.client.HTTPConnection, **fields: str) -> Answer:
    def asking() -> Answer:
        try:
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request("GET", "/api", headers=headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(asking)


def serve(folder: Path, jupyter: Upstream, *arguments: str, tls: bool) -> Labgate:
    at = f"http://127.0.0.1:{jupyter.address.port}"
    return Labgate(folder, "serve", "--upstream", at, *TRUSTING, *arguments, tls=tls)


def healthy(https_port: int) -> bool:
    """The container's own health check, which comes from a trusted address here."""
    said = {
        "LABGATE_LISTEN__HTTPS_PORT": str(https_port),
        "LABGATE_ACCESS__TRUSTED_PROXIES": "127.0.0.1",
        "LABGATE_ACCESS__PROXY_PROTOCOL": "true",
    }
    command = [sys.executable, "-m", "proxy.observe.health"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | said, check=False).returncode == 0


@pytest.mark.parametrize("announcing", ["send-proxy", "send-proxy-v2"])
async def test_haproxy_announces_its_clients(tmp_path: Path, announcing: str) -> None:
    require(shutil.which("haproxy", path="/usr/sbin"), "no HAProxy", "apt-get install haproxy")
    async with upstream(always_ok) as jupyter:
        labgate = serve(tmp_path, jupyter, "--proxy-protocol", tls=True)
        haproxy = HAProxy(tmp_path, announcing, labgate.https_port, labgate.http_port)

        def secure(client: str) -> http.client.HTTPSConnection:
            return http.client.HTTPSConnection(
                "localhost",
                haproxy.port,
                timeout=60,
                context=labgate.trusting,
                source_address=(client, 0),
            )

        named = {"Host": f"localhost:{labgate.https_port}", "X_Forwarded_For": "6.6.6.6"}
        async with running(labgate, haproxy):
            assert (await ask(secure(ALLOWED), **named)).body == b"ok"
            assert (await ask(secure(SHUT_OUT), **named)).status == 403
            plain = http.client.HTTPConnection(
                "127.0.0.1", haproxy.plain_port, timeout=60, source_address=(ALLOWED, 0)
            )
            redirected = await ask(plain, **named)
            assert redirected.fields["Location"] == f"{labgate.origin}/api"
            # The protocol is not believed, and not needed, from anybody else.
            direct = http.client.HTTPSConnection(
                "localhost",
                labgate.https_port,
                timeout=60,
                context=labgate.trusting,
                source_address=(ALLOWED, 0),
            )
            assert (await ask(direct, **named)).body == b"ok"
            assert await asyncio.to_thread(healthy, labgate.https_port)
            line = f'{SHUT_OUT} "GET /api" 403 '
            await asyncio.to_thread(until, lambda: line in labgate.log, "no such line")
            assert f'{ALLOWED} "GET /api" 200 ' in labgate.log
            # HAProxy's checks announce itself or nobody (v2: LOCAL): not worth a word.
            assert "trusted proxy" not in labgate.log
            assert await asyncio.to_thread(labgate.stop) == 0
        assert "Traceback" not in labgate.log
    assert jupyter.heads.count(b"\r\nX-Real-IP: 127.0.0.3\r\n") == 2
    assert jupyter.heads.count(b"\r\nX-Forwarded-For: 127.0.0.3\r\n") == 2
    assert jupyter.heads.count(b"X-Forwarded-For") == 2


@pytest.mark.nginx
async def test_nginx_appends_its_clients(tmp_path: Path) -> None:
    require(shutil.which("nginx", path="/usr/sbin"), "no nginx", "apt-get install nginx-light")
    async with upstream(always_ok) as jupyter:
        plain = ("--no-tls", "--domain", "lab.example.org", "--bind", "127.0.0.1")
        labgate = serve(tmp_path, jupyter, *plain, tls=False)
        nginx = appending_nginx(tmp_path, labgate.http_port)

        def through(client: str, port: int) -> http.client.HTTPConnection:
            return http.client.HTTPConnection(
                "127.0.0.1", port, timeout=60, source_address=(client, 0)
            )

        named = {"Host": "lab.example.org", "X_Forwarded_For": f"{ALLOWED}, 6.6.6.6"}
        async with running(labgate, nginx):
            assert (await ask(through(ALLOWED, nginx.port), **named)).body == b"ok"
            assert (await ask(through(SHUT_OUT, nginx.port), **named)).status == 403
            claimed = {**named, "X_Forwarded_For": ALLOWED}
            assert (await ask(through(SHUT_OUT, labgate.http_port), **claimed)).status == 403
            assert await asyncio.to_thread(labgate.stop) == 0
        assert f'{ALLOWED} "GET /api" 200 ' in labgate.log
        assert labgate.log.count(f'{SHUT_OUT} "GET /api" 403 ') == 2
    assert b"\r\nX-Real-IP: 127.0.0.3\r\nX-Forwarded-For: 127.0.0.3\r\n" in jupyter.heads
    assert b"6.6.6.6" not in jupyter.heads

"""A certificate is renewed under load, and nobody notices but the next handshake."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
import trustme
from websockets.asyncio.client import ClientConnection as Client
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Origin

from proxy.certs.files import load_pair
from proxy.certs.watch import POLL_SECONDS
from proxy.runtime.secret_files import write_atomically
from proxy.runtime.tasks import spawn
from tests.e2e.programs import ROOT, Labgate, free_port, until

NAME = "lab.example.org"
SOCKETS = 50
RENEWALS = 5

AUTHORITY = trustme.CA()


def renew(folder: Path) -> str:
    """Another pair, as certbot and labgate put it there; its serial number."""
    leaf = AUTHORITY.issue_cert(NAME)
    write_atomically(folder / "privkey.pem", leaf.private_key_pem.bytes())
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    write_atomically(folder / "fullchain.pem", chain)
    return load_pair(folder / "fullchain.pem", folder / "privkey.pem").serial


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def served(port: int) -> str:
    """The serial number that a new handshake sees."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusting(), server_hostname=NAME
    )
    serial = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    await writer.wait_closed()
    return str(serial)


@asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """Answers requests, echoes what comes over WebSockets; its port."""

    def plain(connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        return connection.respond(HTTPStatus.OK, "fine\n")

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, process_request=plain) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def problem(metrics: str) -> float:
    """What the metrics say of the certificate's files."""
    async with aiohttp.request("GET", f"http://{metrics}/metrics") as answer:
        text = await answer.text()
    prefix = f'labgate_certificate_problem{{name="{NAME}"}} '
    return float(next(line for line in text.splitlines() if line.startswith(prefix))[len(prefix) :])


class Load:
    """Requests one after the other, over kept and over new connections, until stopped."""

    def __init__(self, port: int) -> None:
        self.address = f"https://127.0.0.1:{port}/api"
        self.fields = {"Host": f"{NAME}:{port}"}
        self.fine = 0
        self.failed: list[str] = []
        self.over = False

    async def run(self, *, kept: bool) -> None:
        context = trusting()
        connector = aiohttp.TCPConnector(force_close=not kept)
        async with aiohttp.ClientSession(connector=connector) as session:
            while not self.over:
                try:
                    asking = session.get(
                        self.address, headers=self.fields, ssl=context, server_hostname=NAME
                    )
                    async with asking as answer:
                        text = await answer.text()
                        assert (answer.status, text) == (200, "fine\n")
                        self.fine += 1
                except Exception as error:
                    self.failed.append(repr(error))


async def echoed(sockets: list[Client], message: str) -> None:
    """Every socket is open, and what goes in comes back."""
    for one in sockets:
        await one.send(message)
    for one in sockets:
        assert await asyncio.wait_for(one.recv(), 20) == message


def shown(labgate: Labgate, folder: Path) -> subprocess.CompletedProcess[str]:
    """``labgate cert show`` beside the running one."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", "cert", "show", "--domain", NAME, *pair_flags(folder)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **labgate.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pair_flags(folder: Path) -> list[str]:
    return ["--cert", str(folder / "fullchain.pem"), "--key", str(folder / "privkey.pem")]


@pytest.mark.deployment
async def test_nobody_notices(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    serial = renew(live)
    async with upstream() as port:
        site = ("--domain", NAME, "--bind", "127.0.0.1", "--upstream", f"http://127.0.0.1:{port}")
        metrics = f"127.0.0.1:{free_port()}"
        labgate = Labgate(tmp_path, "serve", *site, *pair_flags(live), "--metrics", metrics)
        try:
            await asyncio.to_thread(labgate.start)
            assert await served(labgate.https_port) == serial
            sockets = await _dialled(labgate)
            load = Load(labgate.https_port)
            loading = [spawn(load.run(kept=kept), "load") for kept in (True, True, False)]
            assert POLL_SECONDS < 5, "seconds are promised"
            for number in range(RENEWALS):
                serial = renew(live)
                await _until_served(labgate, serial)
                await echoed(sockets, f"after renewal {number}")

            (live / "fullchain.pem").write_text("-----BEGIN CERTIFICATE-----\ngarbage")
            await asyncio.to_thread(
                until, lambda: "The certificate in service stays" in labgate.log, "no warning"
            )
            assert await served(labgate.https_port) == serial
            await echoed(sockets, "after the corrupt pair")
            show = await asyncio.to_thread(shown, labgate, live)
            assert show.returncode == 0, show
            assert "is not a PEM certificate" in show.stdout
            assert await problem(metrics) == 1

            serial = renew(live)
            labgate.running.send_signal(signal.SIGHUP)
            await _until_served(labgate, serial)
            await echoed(sockets, "after it was mended")
            assert await problem(metrics) == 0

            load.over = True
            await asyncio.gather(*loading)
            assert load.failed == []
            assert load.fine > 10 * RENEWALS
            assert all(one.close_code is None for one in sockets)
            warnings = [line for line in labgate.log.splitlines() if " WARNING " in line]
            assert len(warnings) == 1, warnings
            for one in sockets:
                await one.close()
            assert await asyncio.to_thread(labgate.stop) == 0
            show = await asyncio.to_thread(shown, labgate, live)
            assert show.returncode == 0, show
            assert "No labgate with the state folder" in show.stdout
        finally:
            labgate.kill()


async def test_a_first_certificate_comes_through_labgate(tmp_path: Path) -> None:
    """certbot's first `--webroot` run: labgate has to serve before there is a certificate."""
    live, webroot = tmp_path / "live", tmp_path / "webroot"
    live.mkdir()
    challenges = webroot / ".well-known" / "acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("token.thumbprint")
    site = ("--domain", NAME, "--bind", "127.0.0.1", "--upstream", "http://127.0.0.1:9")
    labgate = Labgate(tmp_path, "serve", *site, "--webroot", str(webroot), *pair_flags(live))
    try:
        await asyncio.to_thread(labgate.start)
        assert f"for a certificate at {live}" in labgate.facts["waiting"]
        show = await asyncio.to_thread(shown, labgate, live)
        assert show.returncode == 1, show
        assert "temporary" in show.stdout
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
            await served(labgate.https_port)
        address = f"http://127.0.0.1:{labgate.http_port}/.well-known/acme-challenge/token"
        async with aiohttp.request("GET", address, headers={"Host": NAME}) as answer:
            assert await answer.text() == "token.thumbprint"
        serial = renew(live)
        async with asyncio.timeout(30):
            while True:
                try:
                    if await served(labgate.https_port) == serial:
                        break
                except ssl.SSLCertVerificationError:
                    continue
        show = await asyncio.to_thread(shown, labgate, live)
        assert show.returncode == 0, show
        assert " WARNING " not in labgate.log
        assert await asyncio.to_thread(labgate.stop) == 0
    finally:
        labgate.kill()


async def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    serial = renew(live)
    site = ("--domain", NAME, "--bind", "127.0.0.1", "--upstream", "http://127.0.0.1:9")
    refusing = {"LABGATE_TLS__UNKNOWN_NAME": "refuse"}
    labgate = Labgate(tmp_path, "serve", *site, *pair_flags(live), environment=refusing)
    try:
        await asyncio.to_thread(labgate.start)
        assert await served(labgate.https_port) == serial
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            await asyncio.open_connection(
                "127.0.0.1", labgate.https_port, ssl=trusting(), server_hostname="b.example.org"
            )
        assert await asyncio.to_thread(labgate.stop) == 0
        assert "Traceback" not in labgate.log
    finally:
        labgate.kill()


async def _dialled(labgate: Labgate) -> list[Client]:
    context = trusting()
    origin = Origin(f"https://{NAME}:{labgate.https_port}")
    address = f"wss://{NAME}:{labgate.https_port}/api/kernels/1/channels"
    return [
        await connect(
            address,
            host="127.0.0.1",
            port=labgate.https_port,
            ssl=context,
            origin=origin,
            proxy=None,
            open_timeout=30,
            ping_interval=None,
        )
        for _ in range(SOCKETS)
    ]


async def _until_served(labgate: Labgate, serial: str) -> None:
    async with asyncio.timeout(30):
        while await served(labgate.https_port) != serial:
            pass

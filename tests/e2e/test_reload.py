"""A reload under load: what changes, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trustme
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from proxy.admin.socket_path import socket_path
from tests.e2e.programs import ROOT, Labgate, until
from tests.e2e.steady_load import SteadyLoad
from tests.passwords import write_htpasswd


@contextmanager
def jupyter(body: str) -> Iterator[str]:
    """A server that echoes WebSockets and answers ``body`` to anything else."""

    def answered(connection: ServerConnection, request: Request) -> Response | None:
        return None if "Upgrade" in request.headers else connection.respond(200, body)

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0, process_request=answered) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def first() -> Iterator[str]:
    with jupyter("the first") as url:
        yield url


@pytest.fixture(scope="module")
def second() -> Iterator[str]:
    with jupyter("the second") as url:
        yield url


class Served:
    """A labgate with a configuration file that can be written anew."""

    def __init__(self, folder: Path, upstream: str, workers: int = 1, **environment: str) -> None:
        self.file = folder / "labgate.toml"
        self.authority = trustme.CA()
        self.cert, self.key = folder / "chain.pem", folder / "key.pem"
        self.issue()
        self._fixed = (
            "[site]\nwebsocket_without_origin = true\n"
            f"[tls]\ncert = {str(self.cert)!r}\nkey = {str(self.key)!r}\n"
        )
        self.write(upstream)
        arguments = ("--config", str(self.file), "--bind", "127.0.0.1", "--workers", str(workers))
        self.labgate = Labgate(folder, "serve", *arguments, environment=environment)
        self.labgate.authority.parent.mkdir(exist_ok=True)
        self.authority.cert_pem.write_to_path(self.labgate.authority)

    def write(self, upstream: str, more: str = "") -> None:
        self.file.write_text(f"{self._fixed}[upstream]\nurl = {upstream!r}\n{more}")

    def issue(self) -> None:
        """A new certificate in the place of the old one."""
        leaf = self.authority.issue_cert("localhost")
        for file, blob in ((self.key, leaf.private_key_pem), (self.cert, leaf.cert_chain_pems[0])):
            file.with_suffix(".new").write_bytes(blob.bytes())
            file.with_suffix(".new").rename(file)

    def reload(self, expected: int = 0) -> str:
        """What ``labgate reload`` says; the admin socket opens a moment after the ports."""
        if self.labgate.process is not None:
            admin = socket_path(self.labgate.authority.parent)
            until(admin.exists, "no admin socket")
        clean = {"PATH": "/usr/bin:/bin", **self.labgate.environment}
        ran = subprocess.run(
            [sys.executable, "-m", "proxy", "reload", "--config", str(self.file)],
            cwd=ROOT,
            env=clean,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == expected, ran.stdout + ran.stderr + self.labgate.log
        return ran.stdout + ran.stderr

    @property
    def body(self) -> str:
        return self.labgate.ask("GET", "/").body.decode()

    @property
    def serial(self) -> object:
        """Of the certificate that a new connection gets."""
        connection = self.labgate.connection()
        connection.connect()
        with connection.sock as secured:
            assert isinstance(secured, ssl.SSLSocket)
            return (secured.getpeercert() or {})["serialNumber"]

    def websocket(self) -> ClientConnection:
        return connect(
            f"wss://localhost:{self.labgate.https_port}/echo",
            ssl=self.labgate.trusting_threads,
            proxy=None,
            close_timeout=1,
        )


def echoes(opened: ClientConnection) -> bool:
    opened.send("still there?")
    return opened.recv(30) == "still there?"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.deployment)])
def test_under_load_nothing_is_lost(workers: int, first: str, second: str, tmp_path: Path) -> None:
    """The upstream, the certificate, logins: each by a reload, and all at once."""
    served = Served(tmp_path, first, workers)
    with served.labgate as labgate, served.websocket() as opened:
        with SteadyLoad(labgate.connection) as load:
            load.wait_for(20)
            serial = served.serial
            served.issue()
            assert "nothing has changed" in served.reload()
            assert served.serial != serial
            load.wait_for(20)

            served.write(second, "[log]\naccess = false\n")
            assert "changed upstream.url, log.access." in served.reload()
            assert {served.body for _ in range(6)} == {"the second"}
            load.wait_for(20)
            labgate.ask("GET", "/not-logged")

            served.write(first, "[limits]\nkeep_alive_seconds = 50\n")
            said = served.reload()
            assert "limits.keep_alive_seconds, upstream.url, log.access" in said
            assert {served.body for _ in range(6)} == {"the first"}
            load.wait_for(20)
            assert echoes(opened)
        assert load.lost == []
        assert load.answered > 80
        assert "/not-logged" not in labgate.log
        users = write_htpasswd(tmp_path)
        served.write(first, f"[access]\nhtpasswd = {str(users)!r}\n")
        assert "changed access.htpasswd" in served.reload()
        assert {labgate.ask("GET", "/").status for _ in range(6)} == {401}
        assert echoes(opened)
        assert labgate.stop() == 0
        assert "Traceback" not in labgate.log


def is_logged(labgate: Labgate, line: str) -> bool:
    return line in labgate.log


def test_what_cannot_be_used_is_refused_as_a_whole(first: str, second: str, tmp_path: Path) -> None:
    served = Served(tmp_path, first, workers=2)
    with served.labgate as labgate:
        for more, key in (
            ("[access]\nallow = 'nowhere'\n", "access.allow: 'nowhere' is neither an address"),
            ("[access]\nhtpasswd = '/no/such/file'\n", "/no/such/file (access.htpasswd) cannot"),
            ("[log]\nshow_headers = true\nshow_headers_filter = 'x:1'\n", "show_headers_filter"),
        ):
            served.write(second, more)
            said = served.reload(expected=1)
            assert key in said
            assert "the configuration from before stays in force" in said
            refused = f"reload refused: {said.splitlines()[0].partition('refused: ')[2]}"
            # The log is written by a thread.
            until(partial(is_logged, labgate, refused), lambda: labgate.log)
            assert served.body == "the first"
        served.cert.write_text("half of a certificate")
        served.write(second)
        assert f"{served.cert} is not a PEM certificate" in served.reload(expected=1)
        assert served.body == "the first"
        served.issue()
        served.reload()
        assert served.body == "the second"


def test_what_needs_a_restart_is_named(first: str, second: str, tmp_path: Path) -> None:
    served = Served(tmp_path, first)
    with served.labgate:
        served.write(second, "[listen]\nmetrics = '127.0.0.1:0'\n[jupyter]\nname = 'other'\n")
        said = served.reload()
        assert "changed upstream.url." in said
        assert "Only a restart changes listen.metrics." in said
        assert served.body == "the second"


def test_flags_of_the_start_override_the_file(first: str, second: str, tmp_path: Path) -> None:
    served = Served(tmp_path, first)
    served.labgate._arguments += ("--upstream", first)
    with served.labgate:
        served.write(second, "[limits]\nhead_seconds = 7\n[listen]\nworkers = 3\n")
        said = served.reload()
        assert "changed limits.head_seconds." in said
        assert "restart" not in said
        assert served.body == "the first"


def test_sighup_reloads_and_tells_the_service_manager(
    first: str, second: str, tmp_path: Path, sockets: Path
) -> None:
    path = str(sockets / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        served = Served(tmp_path, first, NOTIFY_SOCKET=path)
        with served.labgate as labgate:
            assert b"READY=1" in manager.recv(1000)
            for upstream, more, status in (
                (second, "", b"changed upstream.url"),
                (first, "[access]\nallow = 'x'\n", b"access.allow: 'x' is neither"),
            ):
                served.write(upstream, more)
                labgate.running.send_signal(signal.SIGHUP)
                state = until_begins(manager, b"RELOADING=1")
                name, _, number = state.partition(b"\n")[2].partition(b"=")
                assert name == b"MONOTONIC_USEC"
                assert number.isdigit()
                state = until_begins(manager, b"READY=1")
                assert status in state
            assert served.body == "the second"


def until_begins(manager: socket.socket, words: bytes) -> bytes:
    """The next state that begins so; others, as WATCHDOG=1, may come between."""
    while not (state := manager.recv(5000)).startswith(words):
        pass
    return state


def test_no_labgate_runs(tmp_path: Path, first: str) -> None:
    served = Served(tmp_path, first)
    assert "No labgate with the state folder" in served.reload(expected=1)
    served.file.write_text(f"[state]\nfolder = {json.dumps(str(tmp_path / 'x'))}\n[site")
    assert f"No labgate with the state folder {tmp_path}" in served.reload(expected=1)

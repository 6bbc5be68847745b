"""``--workers 2``: two processes serve one port, and outlive each other."""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import trustme
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from proxy import __version__
from tests.e2e.programs import ROOT, Labgate, free_port, until
from tests.passwords import write_htpasswd

MAX_DIALS = 200
"""Connections until one has reached a given worker: each reaches it with even odds."""

FOR_BOTH = 16
"""Connections of which each worker is given one, but for one time in 32,768."""

BODY = '{"version": "behind"}'
"""What Jupyter says at /api."""


def answered(connection: ServerConnection, request: Request) -> Response | None:
    if "Upgrade" in request.headers:
        return None
    return connection.respond(200, BODY)


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    """A server that echoes WebSockets and answers anything else."""
    with serve(echo, "127.0.0.1", 0, process_request=answered) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def workers(labgate: Labgate) -> set[int]:
    return {child.pid for child in psutil.Process(labgate.pid).children()}


def served_by(port: int, pids: set[int]) -> int | None:
    """Which process has accepted the connection from a client's ``port``."""
    for pid in pids:
        try:
            found = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.raddr and one.raddr.port == port for one in found):
            return pid
    return None


def successor(labgate: Labgate, before: set[int]) -> int:
    """The worker that serves in the place of one of those before, once it does."""

    def serving() -> set[int]:
        return {int(pid) for pid in re.findall(r"is process (\d+) now", labgate.log)} - before

    (fresh,) = until(serving, lambda: labgate.log)
    return fresh


def gone(pids: set[int]) -> None:
    until(lambda: not any(running(pid) for pid in pids), f"one of {pids} still runs")


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def reaches(connection: http.client.HTTPConnection, pids: set[int]) -> int:
    """Open ``connection``; which worker serves it, once it has answered."""
    connection.request("GET", "/.labgate/health")
    response = connection.getresponse()
    response.read()
    assert response.status in (200, 401)
    pid = served_by(connection.sock.getsockname()[1], pids)
    assert pid is not None
    return pid


@contextmanager
def through_each(
    labgate: Labgate, pids: set[int]
) -> Iterator[dict[int, http.client.HTTPConnection]]:
    """An open connection through every one of the processes."""
    with ExitStack() as stack:
        found: dict[int, http.client.HTTPConnection] = {}
        for _ in range(MAX_DIALS):
            connection = labgate.connection()
            stack.callback(connection.close)
            found.setdefault(reaches(connection, pids), connection)
            if found.keys() == pids:
                yield found
                return
        pytest.fail(f"{MAX_DIALS} connections reached only {set(found)} of {pids}")


@contextmanager
def sockets(labgate: Labgate, pids: set[int]) -> Iterator[dict[int, ClientConnection]]:
    """An open WebSocket through every one of the processes."""
    with ExitStack() as stack:
        found: dict[int, ClientConnection] = {}
        for _ in range(MAX_DIALS):
            opened = stack.enter_context(
                connect(
                    f"wss://localhost:{labgate.https_port}/echo",
                    ssl=labgate.trusting_threads,
                    proxy=None,
                    close_timeout=1,
                )
            )
            pid = served_by(opened.socket.getsockname()[1], pids)
            assert pid is not None
            found.setdefault(pid, opened)
            if found.keys() == pids:
                yield found
                return
        pytest.fail(f"{MAX_DIALS} WebSockets reached only {set(found)} of {pids}")


def resuming(labgate: Labgate, pids: set[int]) -> tuple[int, dict[int, bool]]:
    """Which process began a TLS session, and for each whether it resumes it."""
    context = labgate.trusting
    request = f"GET / HTTP/1.1\r\nHost: localhost:{labgate.https_port}\r\n\r\n"

    def visit(session: ssl.SSLSession | None) -> tuple[int, bool, ssl.SSLSession | None]:
        with (
            socket.create_connection(("127.0.0.1", labgate.https_port), 60) as channel,
            context.wrap_socket(channel, server_hostname="localhost", session=session) as secure,
        ):
            assert secure.version() == "TLSv1.3"
            secure.sendall(request.encode())
            assert secure.recv(1000).startswith(b"HTTP/1.1 200 "), "the ticket came before it"
            pid = served_by(secure.getsockname()[1], pids)
            assert pid is not None
            return pid, bool(secure.session_reused), secure.session

    began, _, session = visit(None)
    found: dict[int, bool] = {}
    for _ in range(MAX_DIALS):
        pid, resumed, _ = visit(session)
        found[pid] = resumed
        if found.keys() == pids:
            return began, found
    pytest.fail(f"{MAX_DIALS} connections reached only {set(found)} of {pids}")


def echoes(opened: ClientConnection) -> bool:
    opened.send("still there?")
    return opened.recv(30) == "still there?"


def two(tmp_path: Path, behind: str, *arguments: str, **environment: str) -> Labgate:
    """To be started, with the public name an Origin-less WebSocket may use."""
    given = {
        "LABGATE_SITE__WEBSOCKET_WITHOUT_ORIGIN": "true",
        "LABGATE_LISTEN__DRAIN_SECONDS": "2",
        **environment,
    }
    options = ("--upstream", behind, "--bind", "127.0.0.1", "--workers", "2", *arguments)
    return Labgate(tmp_path, "serve", *options, environment=given)


def test_one_process_is_one_process(tmp_path: Path, behind: str) -> None:
    options = ("--upstream", behind, "--bind", "127.0.0.1", "--workers", "1")
    with Labgate(tmp_path, "serve", *options) as labgate:
        assert not workers(labgate)
        assert labgate.ask("GET", "/").body == BODY.encode()


def test_both_serve_and_sigterm_ends_everything(tmp_path: Path, behind: str) -> None:
    with two(tmp_path, behind) as labgate:
        pids = workers(labgate)
        assert len(pids) == 2
        with through_each(labgate, pids) as connections:
            for connection in connections.values():
                connection.request("GET", "/tree")
                assert connection.getresponse().read() == BODY.encode()
        began, resumed = resuming(labgate, pids)
        assert resumed == {pid: pid == began for pid in pids}
        assert labgate.ask("GET", "/.labgate/ready").status == 200
        assert labgate.stop() == 0
        gone(pids)
        assert "Traceback" not in labgate.log
        assert labgate.log.count("/tree") == 2


def test_a_killed_worker_comes_back_and_costs_the_other_nothing(
    tmp_path: Path, behind: str
) -> None:
    with two(tmp_path, behind) as labgate:
        before = workers(labgate)
        with sockets(labgate, before) as opened:
            killed, spared = before
            os.kill(killed, signal.SIGKILL)
            fresh = successor(labgate, before)
            assert echoes(opened[spared])
            with sockets(labgate, {fresh, spared}) as again:
                assert all(echoes(one) for one in again.values())
            assert echoes(opened[spared])
        assert f"(process {killed}) ended: SIGKILL; starting it again" in labgate.log
        assert labgate.stop() == 0
        gone({spared, fresh})


def test_sigterm_for_one_worker_replaces_it(tmp_path: Path, behind: str) -> None:
    """It finishes what it has, while another already takes what comes."""
    with two(tmp_path, behind, LABGATE_LISTEN__DRAIN_SECONDS="30") as labgate:
        before = workers(labgate)
        leaving, spared = before
        with sockets(labgate, before) as opened:
            os.kill(leaving, signal.SIGTERM)
            fresh = successor(labgate, before)
            assert echoes(opened[spared])
            with sockets(labgate, {fresh, spared}) as again:
                assert all(echoes(one) for one in again.values())
            until(lambda: not running(leaving), "the worker does not end")
            assert echoes(opened[spared])
        assert labgate.stop() == 0


def test_workers_end_with_their_supervisor(tmp_path: Path, behind: str) -> None:
    with two(tmp_path, behind) as labgate:
        pids = workers(labgate)
        with sockets(labgate, pids):
            os.kill(labgate.pid, signal.SIGKILL)
            gone(pids)


def test_a_worker_that_cannot_start_is_tried_again(tmp_path: Path, behind: str) -> None:
    """Meanwhile the other one accepts what the kernel gives to the sockets of both."""
    users = write_htpasswd(tmp_path)
    with two(tmp_path, behind, "--htpasswd", str(users)) as labgate:
        pids = workers(labgate)
        killed, spared = pids
        away = users.rename(tmp_path / "away")
        os.kill(killed, signal.SIGKILL)
        until(lambda: "starting it again in 1 s" in labgate.log, lambda: labgate.log)
        assert f"(process {killed}) ended: SIGKILL; starting it again\n" in labgate.log
        assert str(users) in labgate.log
        for _ in range(FOR_BOTH):
            assert labgate.ask("GET", "/.labgate/health").status == 200
        assert "is process" not in labgate.log
        away.rename(users)
        until(lambda: "is process" in labgate.log, lambda: labgate.log)
        with through_each(labgate, workers(labgate)) as connections:
            assert spared in connections
        assert labgate.stop() == 0


class Installed(Labgate):
    """Runs a copy of the package, which may be installed anew while it runs."""

    def __init__(self, folder: Path, behind: str) -> None:
        options = ("--upstream", behind, "--bind", "127.0.0.1", "--workers", "2")
        super().__init__(
            folder, "serve", *options, environment={"PYTHONPATH": str(folder / "site")}
        )
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "proxy", folder / "site" / "proxy", ignore=unwanted)

    def command(self) -> list[str]:
        python, *words = super().command()
        return [python, "-P", *words]

    def install(self, version: str, *edits: tuple[str, str, str]) -> None:
        """Another version: in each file a text is replaced."""
        for file, before, after in (("__init__.py", f'"{__version__}"', f'"{version}"'), *edits):
            path = self.folder / "site" / "proxy" / file
            text = path.read_text("utf-8")
            assert before in text
            path.write_text(text.replace(before, after), "utf-8")

    def run(self, command: str) -> str:
        environment = os.environ | self.environment
        words = [sys.executable, "-P", "-m", "proxy", command]
        ran = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@pytest.mark.deployment
@pytest.mark.parametrize("understood", [True, False])
def test_a_worker_that_ends_after_another_version_was_installed(
    understood: bool, tmp_path: Path, behind: str
) -> None:
    """It is started from the new files; whether or not that goes well, it is said what to do."""
    setup = (
        ("workers/channel.py", "    access_log: bool\n", "    access_log: bool\n    added: bool\n"),
        ("workers/supervisor.py", "(ports, others),\n", "(ports, others), added=True,\n"),
    )
    with Installed(tmp_path, behind) as labgate:
        before = workers(labgate)
        killed, _ = before
        labgate.install("99.9", *(() if understood else setup))
        os.kill(killed, signal.SIGKILL)
        came_back = "worker 1 is process", "worker 2 is process"
        if understood:
            until(lambda: any(said in labgate.log for said in came_back), lambda: labgate.log)
            assert len(workers(labgate)) == 2
        else:
            until(lambda: "ended: exit code 1; starting it" in labgate.log, lambda: labgate.log)
        assert "is labgate 99.9, which was installed while labgate" in labgate.log
        assert "is labgate 99.9, which was installed while labgate" in labgate.run("status")
        assert "serves now" in labgate.run("upgrade")
        assert labgate.running.wait(30) == 0
        assert labgate.ask("GET", "/").body == BODY.encode()
        assert labgate.run("status").splitlines()[1] == "version 99.9"
        labgate.run("stop")


def test_a_reload_and_ctrl_c(tmp_path: Path, behind: str) -> None:
    """SIGHUP may go to everybody, and Ctrl-C does."""
    with two(tmp_path, behind) as labgate:
        pids = workers(labgate)
        os.killpg(labgate.pid, signal.SIGHUP)
        with through_each(labgate, pids) as connections:
            assert len(connections) == 2
        assert workers(labgate) == pids
        end_by_ctrl_c(labgate, pids)


def test_ctrl_c_while_workers_start(tmp_path: Path, behind: str) -> None:
    labgate = two(tmp_path, behind).spawn()
    try:
        pids = until(lambda: workers(labgate), "no worker")
        end_by_ctrl_c(labgate, pids)
    finally:
        labgate.kill()


def test_a_certificate_that_is_replaced_reaches_all(tmp_path: Path, behind: str) -> None:
    authority = trustme.CA()
    cert, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def issue() -> None:
        leaf = authority.issue_cert("localhost")
        for file, blob in ((key, leaf.private_key_pem), (cert, leaf.cert_chain_pems[0])):
            fresh = file.with_suffix(".new")
            blob.write_to_path(fresh)
            fresh.rename(file)

    issue()
    with two(tmp_path, behind, "--cert", str(cert), "--key", str(key)) as labgate:
        labgate.authority.parent.mkdir(exist_ok=True)
        authority.cert_pem.write_to_path(labgate.authority)
        pids = workers(labgate)

        def serials() -> dict[int, object]:
            with through_each(labgate, pids) as connections:
                found: dict[int, object] = {}
                for pid, connection in connections.items():
                    assert isinstance(connection.sock, ssl.SSLSocket)
                    found[pid] = (connection.sock.getpeercert() or {})["serialNumber"]
                return found

        (old,) = set(serials().values())
        issue()
        until(lambda: old not in serials().values(), "a worker keeps the old certificate")
        assert len(set(serials().values())) == 1
        assert labgate.stop() == 0


def test_guesses_at_both_workers_are_counted_together(tmp_path: Path, behind: str) -> None:
    users = write_htpasswd(tmp_path)
    failures = {"LABGATE_ACCESS__LOGIN_FAILURES": "3"}
    with two(tmp_path, behind, "--htpasswd", str(users), **failures) as labgate:
        pids = workers(labgate)
        with through_each(labgate, pids) as connections:
            first, second = connections.values()

            def guess(connection: http.client.HTTPConnection, password: str) -> int:
                pair = base64.b64encode(f"ada:{password}".encode()).decode()
                connection.request("GET", "/", headers={"Authorization": f"Basic {pair}"})
                response = connection.getresponse()
                response.read()
                return response.status

            assert guess(first, "sesame") == 200
            for connection, password in ((first, "a"), (second, "b"), (first, "c")):
                # 429 where the news of the guess before came while this one was looked at.
                tried = partial(guess, connection, password)
                until(lambda tried=tried: tried() == 401, "not tried")  # type: ignore[misc]
            until(lambda: guess(second, "sesame") == 429, "shut out at one worker alone")
            assert guess(first, "sesame") == 429
            killed = next(pid for pid, one in connections.items() if one is second)
            os.kill(killed, signal.SIGKILL)
            successor(labgate, pids)
        with through_each(labgate, workers(labgate)) as connections:
            assert [guess(one, "e") for one in connections.values()] == [429, 429]
        assert labgate.log.count("shut out") == 1


def test_a_session_of_one_worker_is_one_of_the_other(tmp_path: Path, behind: str) -> None:
    users = write_htpasswd(tmp_path)
    with two(tmp_path, behind, "--htpasswd", str(users)) as labgate:
        cookie = log_in(labgate)
        with through_each(labgate, workers(labgate)) as connections:
            for connection in connections.values():
                connection.request("GET", "/", headers={"Cookie": cookie})
                response = connection.getresponse()
                assert (response.status, response.read()) == (200, BODY.encode())


def test_logging_out_at_one_worker_is_logging_out_everywhere(tmp_path: Path, behind: str) -> None:
    """A copy of the cookie opens no worker, none that is started later, and no later labgate."""
    users = write_htpasswd(tmp_path)
    with two(tmp_path, behind, "--htpasswd", str(users)) as labgate:
        mine, another = log_in(labgate), log_in(labgate)

        def statuses(cookie: str) -> set[int]:
            found = set()
            with through_each(labgate, workers(labgate)) as connections:
                for connection in connections.values():
                    connection.request("GET", "/", headers={"Cookie": cookie})
                    response = connection.getresponse()
                    response.read()
                    found.add(response.status)
            return found

        assert statuses(mine) == {200}
        left = labgate.ask("POST", "/.labgate/logout", Origin=labgate.origin, Cookie=mine)
        assert left.status == 401
        until(lambda: statuses(mine) == {401}, "a worker has not heard of it")
        assert statuses(another) == {200}
        before = workers(labgate)
        os.kill(min(before), signal.SIGKILL)
        successor(labgate, before)
        assert statuses(mine) == {401}
        assert labgate.stop() == 0
        assert "the supervisor does not say" not in labgate.log
        labgate.start()
        assert (statuses(mine), statuses(another)) == ({401}, {200})


def log_in(labgate: Labgate) -> str:
    """Open a page with the right password; returns the session's cookie."""
    pair = base64.b64encode(b"ada:sesame").decode()
    fields = {"Sec-Fetch-Mode": "navigate", "Authorization": f"Basic {pair}"}
    return str(labgate.ask("GET", "/", **fields).fields["Set-Cookie"].partition(";")[0])


def end_by_ctrl_c(labgate: Labgate, pids: set[int]) -> None:
    """Ctrl-C at a terminal, which every process of it gets, ends labgate and its workers."""
    os.killpg(labgate.pid, signal.SIGINT)
    assert labgate.running.wait(30) == 0
    gone(pids)
    assert "Traceback" not in labgate.log


def start_again(labgate: Labgate, *ports: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proxy", "serve", "--upstream", "http://127.0.0.1:9", *ports],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **labgate.environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("number", ["1", "2"])
def test_its_ports_are_taken(number: str, tmp_path: Path, behind: str) -> None:
    with two(tmp_path, behind) as labgate:
        https, http = str(labgate.https_port), str(labgate.http_port)
        bound = ("--bind", "127.0.0.1", "--workers", number)
        for flag, ports in {
            "--https-port": ("--https-port", https, "--http-port", str(free_port())),
            "--http-port": ("--https-port", str(free_port()), "--http-port", http),
        }.items():
            ran = start_again(labgate, *bound, *ports)
            assert ran.returncode == 1
            # No warning comes before it, although the admin socket is the other labgate's, too.
            (line,) = ran.stderr.splitlines()
            assert line.startswith("labgate: 127.0.0.1:")
            # A labgate that is too busy to answer at once is another program.
            assert re.search("is taken by (a labgate that runs already|another program)", line)
            assert flag in line


def test_no_workers_are_none(tmp_path: Path, behind: str) -> None:
    labgate = two(tmp_path, behind)
    ran = start_again(labgate, "--workers", "0")
    assert ran.returncode == 2
    assert "--workers: '0' is too small" in ran.stderr


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_up_with_two(tmp_path: Path) -> None:
    """Both show the waiting page, both find Jupyter, and Ctrl-C ends all of it."""
    arguments = ("--launch", "process", "--folder", str(tmp_path), "--workers", "2")
    labgate = Labgate(tmp_path, "up", *arguments).spawn()
    try:
        until(lambda: "Starting Jupyter" in labgate.log, lambda: labgate.log)
        until(lambda: len(workers(labgate)) == 3, "no Jupyter")
        pids = workers(labgate)
        assert labgate.ask("GET", "/lab").status in (302, 503)
        until(labgate.ready, lambda: labgate.log)
        serving = {pid for pid in pids if "jupyter" not in " ".join(psutil.Process(pid).cmdline())}
        with through_each(labgate, serving) as connections:
            for connection in connections.values():
                connection.request("GET", "/api")
                assert connection.getresponse().read().startswith(b'{"version"')
        end_by_ctrl_c(labgate, pids)
    finally:
        labgate.kill()

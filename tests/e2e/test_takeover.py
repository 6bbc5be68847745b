"""A labgate takes over from the one that runs: no request is lost, WebSockets end when they end."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from proxy.admin.socket_path import socket_path
from tests.e2e.programs import Labgate, until
from tests.e2e.steady_load import SteadyLoad
from tests.passwords import write_htpasswd


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    """A server that echoes WebSockets and answers anything else."""

    def answered(connection: ServerConnection, request: Request) -> Response | None:
        return None if "Upgrade" in request.headers else connection.respond(200, "here")

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0, process_request=answered) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


class Successor(Labgate):
    """Started like another labgate, with the same folder and ports."""

    def __init__(self, predecessor: Labgate, *more: str) -> None:
        command, *arguments = predecessor._arguments
        super().__init__(
            predecessor.folder,
            command,
            *arguments,
            "--take-over",
            *more,
            environment=predecessor.environment,
        )
        self.https_port, self.http_port = predecessor.https_port, predecessor.http_port
        self.stderr = predecessor.folder / f"{id(self)}.err"

    def start(self) -> Self:
        until(socket_path(self.folder / "labgate").exists, "no admin socket")
        return super().start()


def labgate_for(folder: Path, behind: str, workers: int = 1, command: str = "serve") -> Labgate:
    launch = ("--launch", "none") if command == "up" else ()
    arguments = (*launch, "--upstream", behind, "--bind", "127.0.0.1", "--workers", str(workers))
    environment = {"LABGATE_SITE__WEBSOCKET_WITHOUT_ORIGIN": "true"}
    return Labgate(folder, command, *arguments, environment=environment)


def websocket(labgate: Labgate) -> ClientConnection:
    return connect(
        f"wss://localhost:{labgate.https_port}/echo",
        ssl=labgate.trusting_threads,
        proxy=None,
        close_timeout=1,
    )


def echoes(opened: ClientConnection) -> bool:
    opened.send("still there?")
    return opened.recv(30) == "still there?"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 1),
        pytest.param(2, 1, marks=pytest.mark.deployment),
        pytest.param(1, 2, marks=pytest.mark.deployment),
    ],
)
def test_under_load_nothing_is_lost(before: int, after: int, behind: str, tmp_path: Path) -> None:
    """There and back; each predecessor ends when its WebSocket has ended."""
    first = labgate_for(tmp_path, behind, before, "up")
    second = Successor(first, "--workers", str(after))
    with first, second_of_three(second, first):
        third = Successor(first)
        with websocket(first) as old, SteadyLoad(first.connection) as load:
            load.wait_for(20)
            second.start()
            load.wait_for(20)
            assert first.running.poll() is None
            assert echoes(old)
            with websocket(second) as between:
                assert echoes(between)
                with third:
                    load.wait_for(20)
                    assert echoes(old)
                    assert echoes(between)
                    with websocket(third) as new:
                        assert echoes(new)
                        assert load.lost == []
                        old.close()
                        assert first.running.wait(30) == 0
                        between.close()
                        assert second.running.wait(30) == 0
                        assert echoes(new)
                    load.wait_for(20)
                    status = labgate_says(third, "status", "--json")
                    assert json.loads(status)["pid"] == third.pid
                    # Before the last labgate ends.
                    load.end()
        assert load.lost == []
    for one in (first, second, third):
        assert "Traceback" not in one.log


class second_of_three:  # noqa: N801  used as a function
    """Ends it, whatever happens."""

    def __init__(self, *programs: Labgate) -> None:
        self._programs = programs

    def __enter__(self) -> None:
        """Nothing begins."""

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.kill()


def labgate_says(labgate: Labgate, *words: str) -> str:
    ended = labgate.ask_by_command(*words)
    ended.check_returncode()
    return ended.stdout


def test_a_successor_that_cannot_start_changes_nothing(behind: str, tmp_path: Path) -> None:
    first = labgate_for(tmp_path, behind, command="up")
    with first, websocket(first) as opened:
        failing = Successor(first, "--htpasswd", "/none")
        until(socket_path(tmp_path / "labgate").exists, "no admin socket")
        try:
            assert failing.spawn().running.wait(60) == 1
        finally:
            failing.kill()
        assert "/none" in failing.log
        assert first.ask("GET", "/").body == b"here"
        assert echoes(opened)
        assert "this labgate keeps serving" in first.log
        status = json.loads(labgate_says(first, "status", "--json"))
        assert status["pid"] == first.pid
        another = Labgate(tmp_path, "up", "--launch", "none", environment=first.environment)
        another.stderr = tmp_path / "another.err"
        assert another.spawn().running.wait(60) == 1
        assert f"Already running as process {first.pid}" in another.log
        assert first.stop() == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 1),
        pytest.param(2, 1, marks=pytest.mark.deployment),
        pytest.param(1, 2, marks=pytest.mark.deployment),
    ],
)
def test_failed_logins_still_count(before: int, after: int, behind: str, tmp_path: Path) -> None:
    """The same wrong password is no new failure, and a lockout lasts, there and back."""
    first = labgate_for(tmp_path, behind, before)
    users = write_htpasswd(tmp_path)
    first._arguments += ("--htpasswd", str(users))
    first.environment["LABGATE_ACCESS__LOGIN_FAILURES"] = "2"

    def status(labgate: Labgate, password: str) -> int:
        credentials = base64.b64encode(f"ada:{password}".encode()).decode()
        return labgate.ask("GET", "/", Authorization=f"Basic {credentials}").status

    second = Successor(first, "--workers", str(after))
    with first, second_of_three(second, first):
        assert status(first, "wrong") == 401
        with second:
            assert first.running.wait(30) == 0
            assert {status(second, "wrong") for _ in range(4)} == {401}
            assert status(second, "wrong, too") == 401
            assert {status(second, "sesame") for _ in range(4)} == {429}
            with Successor(first, "--workers", str(before)) as third:
                assert second.running.wait(30) == 0
                assert {status(third, "sesame") for _ in range(4)} == {429}
                (known,) = json.loads(labgate_says(third, "status", "--json"))["lockouts"]
                assert known["address"] == "127.0.0.1"


@pytest.mark.deployment
@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_a_jupyter_that_would_end_with_its_labgate_stays(tmp_path: Path) -> None:
    """Whoever wants to take over from it is told why not, and its kernels run on."""
    first = Labgate(tmp_path, "up", "--launch", "process", "--folder", str(tmp_path))
    with first:
        token = {"Authorization": f"token {first.token}"}
        kernel = first.ask("POST", "/api/kernels", **token).json()["id"]
        asked = first.ask_by_command("upgrade")
        second = Successor(first)
        until(socket_path(tmp_path / "labgate").exists, "no admin socket")
        try:
            assert second.spawn().running.wait(60) == asked.returncode == 1
        finally:
            second.kill()
        for said in (asked.stderr, second.log):
            assert "is a process of the running labgate and ends with it" in said
            assert "Save the notebooks, stop that labgate, and start the new one." in said
        assert [one["id"] for one in first.ask("GET", "/api/kernels", **token).json()] == [kernel]
        assert first.stop(signal.SIGINT) == 0


def test_the_limit_for_websockets(behind: str, tmp_path: Path) -> None:
    first = labgate_for(tmp_path, behind)
    first.environment["LABGATE_LISTEN__HANDOVER_SECONDS"] = "1"
    with first, websocket(first), Successor(first):
        assert first.running.wait(30) == 0


def test_nothing_to_take_over(behind: str, tmp_path: Path) -> None:
    labgate = labgate_for(tmp_path, behind)
    labgate._arguments += ("--take-over",)
    with labgate:
        assert "nothing to take over" in labgate.log
        assert labgate.ask("GET", "/").body == b"here"


def test_a_second_one_with_the_same_folder_has_no_admin_socket(behind: str, tmp_path: Path) -> None:
    """It says so once it serves; a start that fails says its error alone (test_workers)."""
    second = labgate_for(tmp_path, behind)
    second.stderr = tmp_path / "second.err"
    with labgate_for(tmp_path, behind), second:
        warning = "no admin socket: Another labgate listens at"
        until(lambda: warning in second.log, lambda: second.log)
        assert second.log.index("ready: ") < second.log.index(warning)


def test_a_service_is_upgraded_by_its_own(behind: str, tmp_path: Path, sockets: Path) -> None:
    """MAINPID passes to the process that the service has started, and then READY comes."""
    path = str(sockets / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        labgate = labgate_for(tmp_path, behind)
        labgate.environment["NOTIFY_SOCKET"] = path
        with labgate:
            assert b"READY=1" in manager.recv(1000)
            with SteadyLoad(labgate.connection) as load:
                load.wait_for(10)
                said = labgate_says(labgate, "upgrade")
                pid = int(said.split("process ")[1].split()[0])
                states: list[str] = []
                while not states or not states[-1].startswith("READY=1"):
                    states.append(manager.recv(1000).decode())
                told = [state for state in states if state.startswith(("MAINPID", "READY", "STOP"))]
                assert told == [f"MAINPID={pid}", "READY=1"]
                assert labgate.running.wait(60) == 0
                load.wait_for(10)
            assert load.lost == []
            os.kill(pid, signal.SIGTERM)
            until(lambda: b"STOPPING=1" in manager.recv(1000), "no STOPPING")

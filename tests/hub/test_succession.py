"""A restart under load: sockets and routes go to the next process, and no request fails."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.e2e.programs import until
from tests.e2e.steady_load import SteadyLoad
from tests.hub.running import (
    LABGATE,
    ProxyProcess,
    RawWebSocket,
    RunningProxy,
    as_process,
    echo_target,
)

pytestmark = pytest.mark.deployment

FIRST_FREE = 60
PASS_SOCKETS = (
    'exec 3<&"$1" 4<&"$2"; shift 2; '
    "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=public:api; "
    'exec "$@"'
)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with echo_target() as url:
        yield url


class SteadyHub:
    """Adds a route, uses it and removes it, again and again, as a busy Hub does.

    Attributes:
        rounds: How often that went well.
        failed: What did not.
    """

    def __init__(self, proxy: RunningProxy, target: str) -> None:
        self.rounds = 0
        self.failed: list[str] = []
        self._proxy, self._target = proxy, target
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def wait_for(self, rounds: int) -> None:
        wanted = self.rounds + rounds
        until(lambda: bool(self.failed) or self.rounds >= wanted, "no rounds")

    def _run(self) -> None:
        while not self._ending.is_set():
            path = f"/user/u{self.rounds}"
            for step, wanted in ((self._add, 201), (self._use, 200), (self._remove, 204)):
                try:
                    got: object = step(path)
                except (OSError, http.client.HTTPException) as error:
                    got = repr(error)
                if got != wanted:
                    self.failed.append(f"{step.__name__} {path}: {got}")
            self.rounds += 1

    def _add(self, path: str) -> int:
        return self._proxy.api("POST", path, {"target": self._target}).status

    def _use(self, path: str) -> int:
        return self._proxy.get(path).status

    def _remove(self, path: str) -> int:
        return self._proxy.api("DELETE", path).status


def upgraded(proxy: ProxyProcess) -> int:
    """``labgate upgrade``; returns the successor's process id."""
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", "upgrade"],
        env=proxy.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return int(re.findall(r"process (\d+) serves now", ran.stdout)[0])


@contextmanager
def ended(pids: list[int]) -> Iterator[None]:
    """End the successors, which are nobody's children."""
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def status(proxy: ProxyProcess) -> dict[str, object]:
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", "status", "--json"],
        env=proxy.environment,
        capture_output=True,
        check=True,
        timeout=120,
    )
    said: dict[str, object] = json.loads(ran.stdout)
    return said


@pytest.mark.parametrize(
    ("workers", "storage"),
    [(1, False), (1, True), (2, True)],
)
def test_an_upgrade_fails_no_request(
    workers: int, storage: bool, target: str, tmp_path: Path
) -> None:
    flags = ["--workers", str(workers)]
    flags += ["--storage", str(tmp_path / "routes")] if storage else []
    pids: list[int] = []
    with as_process(LABGATE, *flags) as proxy, ended(pids):
        assert proxy.process is not None
        proxy.api("POST", "/x", {"target": target, "user": "ada"})
        opened = RawWebSocket(proxy.port, "/x")
        with (
            SteadyLoad(lambda: http.client.HTTPConnection("127.0.0.1", proxy.port), "/x") as load,
            SteadyHub(proxy, target) as hub,
        ):
            load.wait_for(20)
            for _ in range(2):
                pids.append(upgraded(proxy))
                load.wait_for(20)
                hub.wait_for(3)
        assert load.lost == []
        assert hub.failed == []
        # The WebSocket is the first one's, which tells the last one of it through the second.
        assert proxy.process.poll() is None
        kept = proxy.api("GET").json
        assert list(kept) == ["/x"]
        assert kept["/x"]["user"] == "ada"
        before = kept["/x"]["last_activity"]
        until(
            lambda: (
                opened.say(b"data") == b"data"
                and proxy.api("GET", "/x").json["last_activity"] > before
            ),
            "no activity",
        )
        said = status(proxy)
        assert (said["pid"], said["command"], said["hub_routes"]) == (pids[-1], "hub", 1)
        opened.close()
        assert proxy.process.wait(30) == 0
        until(lambda: not runs(pids[0]), "the second one runs on")
        os.kill(pids[-1], signal.SIGTERM)
        until(lambda: not runs(pids[-1]), "the last one runs on")
    if storage:
        with as_process(LABGATE, *flags) as again:
            assert list(again.api("GET").json) == ["/x"]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_successor_that_cannot_serve_changes_nothing(target: str, tmp_path: Path) -> None:
    storage = ["--storage", str(tmp_path / "routes")]
    with as_process(LABGATE, *storage) as proxy:
        proxy.api("POST", "/x", {"target": target})
        command = [*proxy.command, "--take-over", "--default-target", "nothing"]
        ran = subprocess.run(
            command, env=proxy.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode != 0
        assert "--default-target" in ran.stderr
        assert proxy.api("POST", "/y", {"target": target}).status == 201
        assert proxy.get("/y").status == 200
        assert proxy.stop() == 0
    with as_process(LABGATE, *storage) as again:
        assert list(again.api("GET").json) == ["/x", "/y"]


def test_a_successor_writes_over_no_other_routes(target: str, tmp_path: Path) -> None:
    """Started with another file, it has the predecessor's routes, and the file those of before."""
    before, now = tmp_path / "before", tmp_path / "now"
    before.write_text('{"path":"/old","data":{"target":"http://127.0.0.1:9"},"last_activity":1}\n')
    content = before.read_bytes()
    with as_process(LABGATE, "--storage", str(now)) as proxy:
        proxy.api("POST", "/x", {"target": target})
        ran = subprocess.run(
            [*proxy.command, "--take-over", "--storage", str(before)],
            env=proxy.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 1
        assert f"--storage {before} has content" in ran.stderr
        assert before.read_bytes() == content
        assert proxy.api("POST", "/y", {"target": target}).status == 201
        assert proxy.stop() == 0


class Activated(ProxyProcess):
    """A proxy that gets its sockets as systemd passes them."""

    def __init__(self, stack: ExitStack, *flags: str) -> None:
        super().__init__(LABGATE, *flags)
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        self.port, self.api_port = (one.getsockname()[1] for one in opened)
        self._passed = [os.dup2(one.fileno(), FIRST_FREE + at) for at, one in enumerate(opened)]
        for descriptor in self._passed:
            stack.callback(os.close, descriptor)
        words = map(str, self._passed)
        self.command = ["bash", "-c", PASS_SOCKETS, "bash", *words, *LABGATE, *flags]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=self.environment, pass_fds=self._passed, stderr=subprocess.DEVNULL
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_restart_with_passed_sockets_fails_no_request(
    workers: int, target: str, tmp_path: Path
) -> None:
    storage = ("--storage", str(tmp_path / "routes"), "--workers", str(workers))
    with ExitStack() as stack:
        proxy = Activated(stack, *storage)
        stack.enter_context(proxy.state_folder)
        stack.callback(proxy.kill)
        proxy.start()
        assert proxy.api("POST", "/x", {"target": target}).status == 201
        with (
            SteadyLoad(lambda: http.client.HTTPConnection("127.0.0.1", proxy.port), "/x") as load,
            SteadyHub(proxy, target) as hub,
        ):
            load.wait_for(20)
            for _ in range(2):
                assert proxy.stop() == 0
                proxy.start()
                load.wait_for(20)
                hub.wait_for(3)
        assert load.lost == []
        assert hub.failed == []
        assert proxy.stop() == 0


def test_a_passed_socket_for_nothing_is_an_error(tmp_path: Path) -> None:
    with ExitStack() as stack:
        proxy = Activated(stack)
        stack.enter_context(proxy.state_folder)
        command = [word.replace("public:api", "public:metrics") for word in proxy.command]
        ran = subprocess.run(
            command,
            env=proxy.environment,
            pass_fds=proxy._passed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 1
        assert "FileDescriptorName=" in ran.stderr

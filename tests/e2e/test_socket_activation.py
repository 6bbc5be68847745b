"""Ports that the service manager opened: a restart loses no connection and no request."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tests.e2e.programs import ROOT, Labgate
from tests.e2e.steady_load import SteadyLoad

FIRST_FREE = 50
MOVE = (
    'exec 3<&"$1" 4<&"$2"; shift 2; '
    "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=https:http; "
    'exec "$@"'
)


class ActivatedLabgate(Labgate):
    """A labgate that gets its ports as systemd passes them."""

    def __init__(self, folder: Path, upstream: str, sockets: Sequence[int], *more: str) -> None:
        super().__init__(folder, "serve", "--upstream", upstream, *more)
        self._sockets = sockets

    def command(self) -> list[str]:
        words = super().command()
        return ["bash", "-c", MOVE, "bash", *map(str, self._sockets), *words]

    def spawn(self) -> Self:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("LABGATE_")
        }
        with self.stdout.open("ab") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=inherited | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=self._sockets,
                start_new_session=True,
            )
        return self


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    def answered(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(200, "here")

    with serve(lambda _: None, "127.0.0.1", 0, process_request=answered) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def activated(folder: Path, upstream: str, *more: str) -> Iterator[ActivatedLabgate]:
    """With ports that stay open as long as this lasts."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        moved = [os.dup2(one.fileno(), FIRST_FREE + index) for index, one in enumerate(opened)]
        for descriptor in moved:
            stack.callback(os.close, descriptor)
        labgate = ActivatedLabgate(folder, upstream, moved, *more)
        labgate.https_port, labgate.http_port = (one.getsockname()[1] for one in opened)
        yield labgate


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.deployment)])
def test_a_restart_loses_nothing(workers: str, behind: str, tmp_path: Path) -> None:
    """Over kept connections, and over those that come while no labgate runs."""
    with activated(tmp_path, behind, "--workers", workers) as labgate, labgate:
        redirected = labgate.ask("GET", "/")
        assert redirected.body == b"here"
        with SteadyLoad(labgate.connection) as load:
            load.wait_for(20)
            for _ in range(2):
                assert labgate.stop() == 0
                labgate.start()
                load.wait_for(20)
        assert load.lost == []
        labgate.tls = False
        assert labgate.ask("GET", "/", Host=f"localhost:{labgate.http_port}").status == 301
        assert "Traceback" not in labgate.log


def test_a_port_that_is_not_configured_is_named(behind: str, tmp_path: Path) -> None:
    with activated(tmp_path, behind, "--no-tls") as labgate:
        labgate.tls = False
        assert labgate.spawn().running.wait(60) == 1
        assert f"labgate was given port {labgate.https_port} for HTTPS" in labgate.log

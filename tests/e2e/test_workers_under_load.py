"""What is lost when a worker ends under load: nothing, or what a killed one had in hand."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tests.e2e.programs import Labgate, until
from tests.e2e.steady_load import NEW, SteadyLoad
from tests.e2e.test_workers import FOR_BOTH, gone, reaches, successor, workers

LATE = "/late"


class Behind(ThreadingHTTPServer):
    """In the place of Jupyter; answers what is late at its end.

    Attributes:
        asked: Set by a request for ``LATE``.
        ending: Has that answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked, self.ending = threading.Event(), threading.Event()

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that end with their worker."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and content in one piece: what has begun to come, a browser does not ask for again.
    wbufsize = -1
    server: Behind

    def do_GET(self) -> None:
        if self.path == LATE:
            self.server.asked.set()
            self.server.ending.wait()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def behind() -> Iterator[Behind]:
    with Behind() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.ending.set()
        server.shutdown()
        thread.join()


class Served:
    """A labgate to be started, with two workers; over TLS, or plain HTTP."""

    def __init__(self, folder: Path, behind: Behind, *, tls: bool) -> None:
        options = ("--upstream", behind.url, "--bind", "127.0.0.1", "--workers", "2")
        without = () if tls else ("--no-tls",)
        self.labgate = Labgate(folder, "serve", *options, *without, tls=tls)
        self.labgate.environment["LABGATE_LISTEN__DRAIN_SECONDS"] = "30"
        if not tls:
            name = f"localhost:{self.labgate.http_port}"
            self.labgate.environment["LABGATE_SITE__DOMAINS"] = name

    def connection(self) -> http.client.HTTPConnection:
        """One that is not open yet."""
        if self.labgate.tls:
            return self.labgate.connection()
        return http.client.HTTPConnection("localhost", self.labgate.http_port, timeout=60)

    def waiting(self) -> http.client.HTTPConnection:
        """One that the kernel has accepted, whether a worker does or not."""
        connection = self.connection()
        connection.sock = socket.create_connection(("127.0.0.1", connection.port), 60)
        return connection

    def secure(self, connection: http.client.HTTPConnection) -> None:
        """Have a waiting one speak what the port does; needs a worker."""
        if self.labgate.tls:
            context: ssl.SSLContext = self.labgate.trusting
            connection.sock = context.wrap_socket(connection.sock, server_hostname="localhost")


@pytest.fixture(params=[True, False], ids=["tls", "plain"])
def served(request: pytest.FixtureRequest, tmp_path: Path, behind: Behind) -> Served:
    return Served(tmp_path, behind, tls=request.param)


def in_hand(pid: int) -> set[int]:
    """The clients' ports of the connections that a process has accepted."""
    found = psutil.Process(pid).net_connections("tcp")
    return {one.raddr.port for one in found if one.raddr}


def test_sigterm_loses_nothing(served: Served) -> None:
    """Over connections that are kept, and over new ones, which a successor may accept."""
    with served.labgate as labgate:
        with SteadyLoad(served.connection) as load:
            load.wait_for(20)
            for leaving in workers(labgate):
                before = workers(labgate)
                os.kill(leaving, signal.SIGTERM)
                gone({leaving})
                successor(labgate, before)
                load.wait_for(20)
        assert load.lost == []
        assert labgate.stop() == 0


def test_while_workers_drain_their_ports_are_closed(served: Served, behind: Behind) -> None:
    """No process keeps one open, so that connections to it would wait for nobody."""
    with served.labgate as labgate:
        late = served.connection()
        late.request("GET", LATE)
        assert behind.asked.wait(60)
        labgate.running.send_signal(signal.SIGTERM)

        def refused() -> bool:
            try:
                served.waiting().close()
            except ConnectionRefusedError:
                return True
            return False

        until(refused, "a port is open")
        behind.ending.set()
        assert late.getresponse().read() == b"ok"
        late.close()
        assert labgate.running.wait(60) == 0


def test_sigkill_loses_what_the_worker_had_in_hand(served: Served, behind: Behind) -> None:
    """Nothing of that to a browser, and to nobody a connection that waits to be accepted."""
    with served.labgate as labgate, ExitStack() as stack:
        # Over TLS it would not be known which connection it was that broke in its handshake.
        new = 0 if labgate.tls else NEW
        load = stack.enter_context(SteadyLoad(served.connection, new=new))
        browser = stack.enter_context(SteadyLoad(served.connection, new=0, again=True))
        load.wait_for_each()
        browser.wait_for_each()
        pids = workers(labgate)
        late = served.connection()
        stack.callback(late.close)
        killed = reaches(late, pids)
        late.request("GET", LATE)
        assert behind.asked.wait(60)
        # Stopped, it accepts nothing more: what it has in hand can be seen.
        os.kill(killed, signal.SIGSTOP)
        until(lambda: psutil.Process(killed).status() == psutil.STATUS_STOPPED, "it runs")
        accepted = in_hand(killed)
        waiting = [served.waiting() for _ in range(FOR_BOTH)]
        os.kill(killed, signal.SIGKILL)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            late.getresponse()
        for connection in waiting:
            stack.callback(connection.close)
            served.secure(connection)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"
        successor(labgate, pids)
        load.wait_for(20)
        browser.wait_for(20)
        load.end()
        browser.end()
        assert browser.lost == []
        assert load.lost_ports <= accepted, load.lost
        assert labgate.stop() == 0

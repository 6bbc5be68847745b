"""A proxy of a Hub as a process, labgate's or configurable-http-proxy's, and targets for it."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from proxy.cli.arguments import parse_arguments
from proxy.cli.hub import hub_options
from proxy.hub.hub_proxy import HubProxy
from proxy.runtime.event_loop import loop_factory
from tests.e2e.programs import free_port, until

TOKEN = "the-hubs-token"
LABGATE = (sys.executable, "-m", "proxy", "hub")


class Reply(NamedTuple):
    """What came back; the names of fields are in lower case."""

    status: int
    content: bytes
    fields: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class RunningProxy:
    """A proxy, with its public port and its API's."""

    def __init__(self, *flags: str) -> None:
        self.port, self.api_port = free_port(), free_port()
        self.flags = [
            *("--ip", "127.0.0.1", "--port", str(self.port)),
            *("--api-ip", "127.0.0.1", "--api-port", str(self.api_port)),
            *flags,
        ]

    def api(
        self,
        method: str,
        path: str = "",
        data: object = None,
        token: str | None = TOKEN,
    ) -> Reply:
        """One call of the API below ``/api/routes``."""
        body = data if isinstance(data, str) else None if data is None else json.dumps(data)
        fields = {} if token is None else {"Authorization": f"token {token}"}
        return ask(self.api_port, method, f"/api/routes{path}", body, fields)

    def activity(self, path: str) -> str:
        """When a route was last used, as the API lists it."""
        return str(self.api("GET", path).json["last_activity"])

    def past_activity(self, path: str) -> str:
        """The same, once a later use would have another time: times have milliseconds."""
        before = self.activity(path)
        now = partial(datetime.now, UTC)
        until(lambda: now().isoformat(timespec="milliseconds") > before.rstrip("Z"), "no time")
        return before

    def get(self, path: str, method: str = "GET", body: str | None = None, **fields: str) -> Reply:
        """One request as a client."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return ask(self.port, method, path, body, named)


class ProxyProcess(RunningProxy):
    """A proxy as a process.

    Attributes:
        log: What it says; None for the test's own standard error.
    """

    def __init__(
        self,
        command: Sequence[str],
        *flags: str,
        token: str = TOKEN,
        environment: Mapping[str, str] = {},
        log: Path | None = None,
    ) -> None:
        super().__init__(*flags)
        self.log = log
        self.command = [*command, *self.flags]
        # Of the process alone: its admin socket, and its token if none is given.
        self.state_folder = TemporaryDirectory(prefix="hub-")
        self.environment = {
            **os.environ,
            "CONFIGPROXY_AUTH_TOKEN": token,
            "LABGATE_STATE__FOLDER": self.state_folder.name,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again, and wait until both ports answer."""
        with open(self.log or os.devnull, "ab") as log:
            self.process = process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdout=log,
                stderr=log if self.log is not None else None,
            )
        for port in (self.api_port, self.port):
            until(lambda port=port: process.poll() is not None or answers(port), "no port")  # type: ignore[misc]
        assert process.poll() is None, f"it ended with {process.returncode}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)


class ProxyThread(RunningProxy):
    """labgate's proxy in a thread of the test: a process would take a second to start."""

    def __init__(
        self, *flags: str, token: str = TOKEN, environment: Mapping[str, str] = {}
    ) -> None:
        super().__init__(*flags)
        self._environment = {"CONFIGPROXY_AUTH_TOKEN": token, **environment}
        self.read(self.flags)
        self._started: Future[HubProxy] = Future()
        self._thread = threading.Thread(target=self._run)

    def read(self, flags: Sequence[str]) -> None:
        """Take this command line."""
        self.options = hub_options(parse_arguments(["hub", *flags]), self._environment)

    def start(self) -> None:
        """Start it, and wait until its ports are open."""
        self._thread.start()
        self.hub = self._started.result(60)

    def ask_to_end(self) -> None:
        """As a SIGTERM does."""
        if self._started.exception() is None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)

    def end(self) -> None:
        """Stop it, and wait until it has ended."""
        self.ask_to_end()
        self._thread.join(60)

    def call(self, what: Callable[[], Any]) -> Any:
        """Call something on the proxy's own loop, and await what it gives."""

        async def call() -> Any:
            result = what()
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        hub = None
        try:
            hub = HubProxy(self.options)
            await hub.start()
            await hub.open_api()
        except BaseException as error:
            if hub is not None:
                await hub.stop(asyncio.Event())
            self._started.set_exception(error)
            return
        self._started.set_result(hub)
        await self._stop.wait()
        await hub.stop(asyncio.Event())


@contextmanager
def running(
    command: Sequence[str],
    *flags: str,
    token: str = TOKEN,
    environment: Mapping[str, str] = {},
) -> Iterator[RunningProxy]:
    """Run a proxy: labgate's in a thread, any other as a process."""
    if command is LABGATE:
        with in_thread(*flags, token=token, environment=environment) as proxy:
            yield proxy
    else:
        with as_process(command, *flags, token=token, environment=environment) as process:
            yield process


@contextmanager
def in_thread(
    *flags: str, token: str = TOKEN, environment: Mapping[str, str] = {}
) -> Iterator[ProxyThread]:
    """Run labgate's proxy in a thread."""
    proxy = ProxyThread(*flags, token=token, environment=environment)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.end()


@contextmanager
def as_process(
    command: Sequence[str],
    *flags: str,
    token: str = TOKEN,
    environment: Mapping[str, str] = {},
    log: Path | None = None,
) -> Iterator[ProxyProcess]:
    """Run a proxy as a process."""
    proxy = ProxyProcess(command, *flags, token=token, environment=environment, log=log)
    with proxy.state_folder:
        try:
            proxy.start()
            yield proxy
        finally:
            proxy.kill()


def ask(
    port: int, method: str, path: str, body: str | None = None, fields: Mapping[str, str] = {}
) -> Reply:
    """One request to a port of this machine, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(fields))
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, response.read(), named)
    finally:
        connection.close()


def answers(port: int) -> bool:
    """Whether something listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = self.headers.get("Upgrade", "").lower() == "websocket"
        if asked and "status=" not in self.path:
            self._echo_bytes()
            return
        length = int(self.headers.get("Content-Length") or 0)
        seen = {
            "server": self.server.server_name_shown,  # type: ignore[attr-defined]
            "method": self.command,
            "target": self.path,
            "fields": {name.lower(): value for name, value in self.headers.items()},
            "content": self.rfile.read(length).decode(),
        }
        content = json.dumps(seen).encode()
        status = int(self.path.partition("status=")[2][:3] or 200)
        self.send_response(status)
        self.send_header("Content-Type", "application/x-echo")
        self.send_header("Content-Length", str(len(content)))
        if status in (301, 302):
            self.send_header(
                "Location", f"http://127.0.0.1:{self.connection.getsockname()[1]}/moved"
            )
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  http.server's names

    def _echo_bytes(self) -> None:
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        self.wfile.flush()
        with suppress(OSError):
            while data := self.connection.recv(4096):
                self.connection.sendall(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _EchoServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever gave no certificate is told by TLS."""


@contextmanager
def echo_target(name: str = "target", context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers with what it was asked; yields its URL."""
    server = _EchoServer(("127.0.0.1", 0), _Echo)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.server_name_shown = name  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class RawWebSocket:
    """The bytes of a WebSocket's connection; the echo speaks no frames."""

    def __init__(self, port: int, path: str, *lines: str) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), 30)
        head = (
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *lines,
        )
        self._connection.sendall("\r\n".join([*head, "", ""]).encode())
        self.head = b""
        while b"\r\n\r\n" not in self.head and (data := self._connection.recv(4096)):
            self.head += data
        self.head, _, self.rest = self.head.partition(b"\r\n\r\n")

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def say(self, data: bytes) -> bytes:
        """Send bytes and wait for their echo."""
        self._connection.sendall(data)
        got = b""
        while len(got) < len(data) and (more := self._connection.recv(4096)):
            got += more
        return got

    def end(self) -> bytes:
        """What comes until the connection ends."""
        with suppress(ConnectionResetError):
            return self._connection.recv(4096)
        return b""

    def close(self) -> None:
        self._connection.close()


def unused_port() -> int:
    """A port on which nothing listens."""
    return free_port()


def folder_of(tmp_path: Path, *files: tuple[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files:
        (tmp_path / name).write_text(text)
    return tmp_path


@contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """Let the system refuse this process more of something."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))

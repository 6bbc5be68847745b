"""Both proxies as a Hub starts them, with the port of their API."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import interpreter
from tests.bench.certificates import Certificate
from tests.bench.peers import REPOSITORY, ConfigurableHttpProxy, Labgate
from tests.bench.recipes import free_port

TOKEN = "not-secret"
AT_ONCE = 10
"""``ConfigurableHTTPProxy.concurrency`` of the Hub."""


class HubLabgate(Labgate):
    """``labgate hub``."""

    def __init__(self) -> None:
        super().__init__(REPOSITORY, python=interpreter.distribution())
        self.api_port = 0

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        self.api_port = free_port()
        command = [self._python, "-m", "proxy", "hub", "--ip", "127.0.0.1", "--port", str(port)]
        command += ["--ssl-key", str(certificate.key), "--ssl-cert", str(certificate.chain)]
        command += ["--default-target", f"http://127.0.0.1:{upstream}", "--log-level", "warn"]
        command += ["--api-ip", "127.0.0.1", "--api-port", str(self.api_port)]
        return [*command, "--storage", str(work / "routes")]

    def environment(self, work: Path) -> Mapping[str, str]:
        own = {"CONFIGPROXY_AUTH_TOKEN": TOKEN, "LABGATE_STATE__FOLDER": str(work)}
        return {**super().environment(work), **own}

    def upgrade(self, work: Path, environment: Mapping[str, str]) -> int:
        """``labgate upgrade``; returns the successor's process id."""
        said = subprocess.run(
            [self._python, "-m", "proxy", "upgrade"],
            cwd=self.folder,
            env=dict(environment) | dict(self.environment(work)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return int(said.partition("process ")[2].split()[0])


class HubChp(ConfigurableHttpProxy):
    """configurable-http-proxy."""

    def __init__(self) -> None:
        self.api_port = 0

    def version(self) -> str | None:
        """With that of node: from 19 on it keeps connections to targets, and takes half the CPU."""
        found, node = super().version(), shutil.which("node")
        if found is None or node is None:
            return found
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        return f"{found} on node {told.stdout.strip()}"

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        command = super().command(port, upstream, certificate, work)
        self.api_port = int(command[-1])
        return [*command, "--log-level", "warn"]


HubPeer = HubLabgate | HubChp


def add_routes(api_port: int, paths: Sequence[str], target: str, *, keep: bool = True) -> None:
    """A call of the API for each, as many at once as a Hub makes.

    Args:
        api_port: Where the API is.
        paths: A route for each.
        target: Of all of them.
        keep: Over kept connections, as a Hub with pycurl calls; without it, it closes each.

    Raises:
        AssertionError: One was not acknowledged.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(_connected(api_port)) for _ in range(AT_ONCE * keep)]
        for first in range(0, len(paths), AT_ONCE):
            some = paths[first : first + AT_ONCE]
            with ExitStack() as calls:
                used = connections or [calls.enter_context(_connected(api_port)) for _ in some]
                for connection, path in zip(used, some, strict=False):
                    connection.sendall(_call(api_port, path, target, keep=keep))
                for connection, path in zip(used, some, strict=False):
                    answer = b""
                    while b"\r\n\r\n" not in answer and (data := connection.recv(4096)):
                        answer += data
                    assert answer.startswith(b"HTTP/1.1 201 "), (path, answer)


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60)


def _call(api_port: int, path: str, target: str, *, keep: bool) -> bytes:
    body = json.dumps({"target": target, "user": path, "server_name": ""})
    closes = "" if keep else "Connection: close\r\n"
    head = (
        f"POST /api/routes{path} HTTP/1.1\r\nHost: 127.0.0.1:{api_port}\r\n"
        f"Authorization: token {TOKEN}\r\nContent-Type: application/json\r\n"
        f"{closes}Content-Length: {len(body)}\r\n\r\n"
    )
    return f"{head}{body}".encode()

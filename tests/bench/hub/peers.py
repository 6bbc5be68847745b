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
AT_ONCE = 8


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


def add_routes(api_port: int, paths: Sequence[str], target: str) -> None:
    """A call of the API for each; some at once, so that the proxy never waits for the caller.

    Raises:
        AssertionError: One was not acknowledged.
    """
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api_port), 60))
            for _ in range(AT_ONCE)
        ]
        for first in range(0, len(paths), AT_ONCE):
            some = list(zip(connections, paths[first : first + AT_ONCE], strict=False))
            for connection, path in some:
                connection.sendall(_call(api_port, path, target))
            for connection, path in some:
                answer = b""
                while b"\r\n\r\n" not in answer and (data := connection.recv(4096)):
                    answer += data
                assert answer.startswith(b"HTTP/1.1 201 "), (path, answer)


def _call(api_port: int, path: str, target: str) -> bytes:
    body = json.dumps({"target": target, "user": path, "server_name": ""})
    head = (
        f"POST /api/routes{path} HTTP/1.1\r\nHost: 127.0.0.1:{api_port}\r\n"
        f"Authorization: token {TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return f"{head}{body}".encode()

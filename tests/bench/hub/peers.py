"""Both proxies as a Hub starts them, with the port of their API."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.bench import interpreter
from tests.bench.certificates import Certificate
from tests.bench.peers import REPOSITORY, ConfigurableHttpProxy, Labgate
from tests.bench.recipes import free_port

TOKEN = "not-secret"


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

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        command = super().command(port, upstream, certificate, work)
        self.api_port = int(command[-1])
        return [*command, "--log-level", "warn"]


HubPeer = HubLabgate | HubChp


def add_routes(api_port: int, paths: Iterable[str], target: str) -> None:
    """One call of the API after the other, over one connection.

    Raises:
        AssertionError: One was not acknowledged.
    """
    connection = http.client.HTTPConnection("127.0.0.1", api_port, timeout=60)
    fields = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    for path in paths:
        body = json.dumps({"target": target, "user": path, "server_name": ""})
        connection.request("POST", f"/api/routes{path}", body, fields)
        response = connection.getresponse()
        response.read()
        assert response.status == 201, response.status
    connection.close()

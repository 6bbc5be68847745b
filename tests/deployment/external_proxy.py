"""labgate as the proxy of a JupyterHub that does not start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.deployment.jupyterhub import JupyterHub
from tests.e2e.programs import until
from tests.hub.running import answers


class ExternalProxy:
    """A proxy that the Hub does not start (``should_start = False``), with its routes on disk.

    The flags are those that JupyterHub's documentation gives configurable-http-proxy.

    Attributes:
        hub: Whose it is.

    Args:
        hub: Not started yet.
        flags: More than those.
    """

    def __init__(self, hub: JupyterHub, *flags: str) -> None:
        self.hub = hub
        inside = "https" if hub.kind.internal_tls else "http"
        self.flags = [
            *("--ip", "127.0.0.1", "--port", str(hub.port)),
            *("--api-ip", "127.0.0.1", "--api-port", str(hub.api_port)),
            *("--default-target", f"{inside}://127.0.0.1:{hub.hub_port}"),
            *("--error-target", f"{inside}://127.0.0.1:{hub.hub_port}/hub/error"),
            *("--storage", str(hub.folder / "routes")),
            *(["--host-routing"] if hub.kind.by_host else []),
            *flags,
        ]
        if hub.kind.public_tls:
            self.flags += ["--ssl-cert", str(hub.cert), "--ssl-key", str(hub.key)]
        if hub.kind.internal_tls:
            self.flags += [*self._group("api", "proxy-api"), *self._group("client", "proxy-client")]
        self.process: subprocess.Popen[bytes] | None = None
        self._successor = 0

    def _group(self, group: str, name: str) -> Sequence[str]:
        folder = self.hub.folder / "ssl"
        return (
            *(f"--{group}-ssl-key", f"{folder}/{name}/{name}.key"),
            *(f"--{group}-ssl-cert", f"{folder}/{name}/{name}.crt"),
            *(f"--{group}-ssl-ca", f"{folder}/{name}-ca_trust.crt"),
            *(f"--{group}-ssl-request-cert", f"--{group}-ssl-reject-unauthorized"),
        )

    def start(self) -> None:
        """Start it, and wait until both ports answer."""
        with self._log_file.open("ab") as log:
            self.process = process = subprocess.Popen(
                ["labgate", "hub", *self.flags], env=self.hub.environment, stderr=log
            )
        for port in (self.hub.api_port, self.hub.port):
            until(lambda port=port: process.poll() is not None or answers(port), "no port")  # type: ignore[misc]
        assert process.poll() is None, f"it ended with {process.returncode}"

    def upgrade(self) -> None:
        """Let a successor serve; open WebSockets stay with this one."""
        ran = subprocess.run(
            ["labgate", "upgrade"],
            env=self.hub.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        self._successor = int(re.findall(r"process (\d+) serves now", ran.stdout)[0])

    def kill(self) -> None:
        """End it, and its successor, as a crash does."""
        if self._successor:
            with suppress(ProcessLookupError):
                os.kill(self._successor, signal.SIGKILL)
            self._successor = 0
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    @property
    def _log_file(self) -> Path:
        return self.hub.folder / "proxy.log"

    @property
    def log(self) -> str:
        """What it said."""
        return self._log_file.read_text(errors="replace")


@contextmanager
def running_apart(hub: JupyterHub, *flags: str) -> Iterator[ExternalProxy]:
    """The Hub until the end, and a proxy that was started before it."""
    hub.more.append("c.ConfigurableHTTPProxy.should_start = False")
    hub.configure()
    with ExitStack() as stack:
        if hub.kind.internal_tls:
            hub.generate_certificates()
        proxy = ExternalProxy(hub, *flags)
        stack.callback(proxy.kill)
        proxy.start()
        stack.callback(lambda: print(hub.log[-6000:], proxy.log[-6000:], sep="\n"))
        stack.callback(hub.stop)
        hub.start()
        assert hub.process is not None
        assert hub.process.poll() is None, hub.log
        yield proxy

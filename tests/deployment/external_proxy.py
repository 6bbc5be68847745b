"""labgate as the proxy of a JupyterHub that does not start it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.deployment.jupyterhub import JupyterHub
from tests.e2e.programs import until
from tests.hub.running import LABGATE, answers


class ExternalProxy:
    """A proxy that the Hub does not start (``should_start = False``), with its routes on disk.

    The flags are those that JupyterHub's documentation gives configurable-http-proxy.
    """

    def __init__(self, hub: JupyterHub) -> None:
        self._hub = hub
        inside = "https" if hub.kind.internal_tls else "http"
        self.flags = [
            *("--ip", "127.0.0.1", "--port", str(hub.port)),
            *("--api-ip", "127.0.0.1", "--api-port", str(hub.api_port)),
            *("--default-target", f"{inside}://127.0.0.1:{hub.hub_port}"),
            *("--error-target", f"{inside}://127.0.0.1:{hub.hub_port}/hub/error"),
            *("--storage", str(hub.folder / "routes")),
            *(["--host-routing"] if hub.kind.by_host else []),
        ]
        if hub.kind.public_tls:
            self.flags += ["--ssl-cert", str(hub.cert), "--ssl-key", str(hub.key)]
        if hub.kind.internal_tls:
            self.flags += [*self._group("api", "proxy-api"), *self._group("client", "proxy-client")]
        self.process: subprocess.Popen[bytes] | None = None

    def _group(self, group: str, name: str) -> Sequence[str]:
        folder = self._hub.folder / "ssl"
        return (
            *(f"--{group}-ssl-key", f"{folder}/{name}/{name}.key"),
            *(f"--{group}-ssl-cert", f"{folder}/{name}/{name}.crt"),
            *(f"--{group}-ssl-ca", f"{folder}/{name}-ca_trust.crt"),
            *(f"--{group}-ssl-request-cert", f"--{group}-ssl-reject-unauthorized"),
        )

    def start(self) -> None:
        """Start it, and wait until both ports answer."""
        self.process = process = subprocess.Popen(
            [*LABGATE, *self.flags], env=self._hub.environment
        )
        for port in (self._hub.api_port, self._hub.port):
            until(lambda port=port: process.poll() is not None or answers(port), "no port")  # type: ignore[misc]
        assert process.poll() is None, f"it ended with {process.returncode}"

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)


@contextmanager
def running_apart(hub: JupyterHub) -> Iterator[ExternalProxy]:
    """The Hub until the end, and a proxy that was started before it."""
    hub.more.append("c.ConfigurableHTTPProxy.should_start = False")
    hub.configure()
    with ExitStack() as stack:
        if hub.kind.internal_tls:
            hub.generate_certificates()
        proxy = ExternalProxy(hub)
        stack.callback(proxy.kill)
        proxy.start()
        stack.callback(lambda: print(hub.log[-6000:]))
        stack.callback(hub.stop)
        hub.start()
        assert hub.process is not None
        assert hub.process.poll() is None, hub.log
        yield proxy

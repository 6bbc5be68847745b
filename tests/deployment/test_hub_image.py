"""The image in the place of configurable-http-proxy's, as JupyterHub's Kubernetes chart runs it.

The command line, the environment, the user and the probes are those of the chart's
``templates/proxy/deployment.yaml`` and ``values.yaml`` of July 2026 (JupyterHub 5.5); neither helm
nor a cluster is needed.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.certificates import pair
from tests.deployment.image import answers, docker
from tests.deployment.machine import DEBIAN
from tests.e2e.programs import until
from tests.engine_names import new_name

pytestmark = [pytest.mark.docker, pytest.mark.deployment]

TOKEN = "0123456789abcdef"
GRACE_SECONDS = 60

COMMAND = "configurable-http-proxy"
ALWAYS = (
    *("--ip=", "--api-ip=", "--api-port=8001"),
    *("--default-target=http://hub:8081", "--error-target=http://hub:8081/hub/error"),
)
PLAIN = (*ALWAYS, "--port=8000")
MANUAL_HTTPS = (
    *ALWAYS,
    *("--port=8443", "--redirect-port=8000", "--redirect-to=443"),
    *("--ssl-key=/etc/chp/tls/tls.key", "--ssl-cert=/etc/chp/tls/tls.crt"),
)
EVERYTHING = (*PLAIN, "--log-level=debug", "--host-routing")
SECURITY = (
    *("--user", "65534:65534", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
)
"""Its ``containerSecurityContext``; the engine's seccomp profile is what RuntimeDefault means."""

HUB = """
import http.server

class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hub {self.path}".encode()
        self.send_response(404 if self.path.startswith("/hub/error") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8081), Hub).serve_forever()
"""


class Pod(NamedTuple):
    """The proxy's container.

    Attributes:
        name: The container's.
        tls: Whether the public port is that of manual HTTPS.
    """

    name: str
    tls: bool

    def ask(
        self, port: int, method: str, path: str, content: str | None = None, **fields: str
    ) -> tuple[int, str, str]:
        """Status, content and Location of a response; ``port`` is the container's."""
        published = int(docker("port", self.name, f"{port}/tcp").splitlines()[0].rpartition(":")[2])
        if port == 8443:
            # As a kubelet, which trusts any certificate.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", published, timeout=10, context=context
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", published, timeout=10)
        try:
            connection.request(method, path, content, fields)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers["Location"] or ""
        finally:
            connection.close()

    def probe(self) -> bool:
        """As the kubelet: the pod's address is the Host."""
        port = 8443 if self.tls else 8000
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        host = f"{docker('inspect', '--format', form, self.name)}:{port}"
        try:
            status, content, _ = self.ask(port, "GET", "/_chp_healthz", Host=host)
        except (OSError, http.client.HTTPException):
            return False
        return status == 200 and json.loads(content) == {"status": "OK"}

    def api(self, method: str, path: str, target: str = "") -> int:
        """A call of the Hub; the status."""
        content = json.dumps({"target": target, "user": "ada"}) if target else None
        return self.ask(8001, method, path, content, Authorization=f"token {TOKEN}")[0]


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    """A network with a stand-in for the Hub, as the service ``hub``."""
    name = new_name()
    with ExitStack() as stack:
        docker("network", "create", name)
        stack.callback(answers, "network", "rm", name)
        place = ("--name", f"{name}-hub", "--network", name, "--network-alias", "hub")
        docker("run", "--detach", "--rm", *place, DEBIAN, "python3", "-c", HUB)
        stack.callback(answers, "rm", "--force", f"{name}-hub")
        yield name


@pytest.fixture
def start(labgate_image: str, network: str, tmp_path: Path) -> Iterator[object]:
    """Starts the pod with a command line, and waits until its readiness probe succeeds."""
    with ExitStack() as stack:

        def start(*arguments: str) -> Pod:
            name = f"{network}-proxy"
            tls = "--port=8443" in arguments
            options = [f"--publish=127.0.0.1::{port}" for port in (8000, 8001, 8443)]
            options += [*SECURITY, "--env", f"CONFIGPROXY_AUTH_TOKEN={TOKEN}"]
            if tls:
                options += ["--volume", f"{secret(tmp_path)}:/etc/chp/tls:ro"]
            place = ("--name", name, "--network", network, "--entrypoint", COMMAND)
            stack.callback(answers, "rm", "--force", "--volumes", name)
            docker("run", "--detach", *place, *options, labgate_image, *arguments)
            pod = Pod(name, tls)
            until(pod.probe, lambda: docker("logs", name), GRACE_SECONDS)
            return pod

        yield start


def secret(folder: Path) -> Path:
    """The certificate as Kubernetes mounts it: files that everybody may read."""
    cert, key = pair(folder / "tls", "hub.example.org")
    folder.chmod(0o755)
    cert.rename(cert.with_name("tls.crt"))
    key.rename(key.with_name("tls.key"))
    for path in cert.parent.iterdir():
        path.chmod(0o644)
    cert.parent.chmod(0o755)
    return cert.parent


@pytest.mark.parametrize(
    "arguments",
    [
        PLAIN,
        MANUAL_HTTPS,
        EVERYTHING,
        # In values.yaml beside the image.
        (*PLAIN, "--public-origin=https://hub.example.org"),
    ],
    ids=["plain", "https", "everything", "public-origin"],
)
def test_the_charts_pod(start: object, arguments: tuple[str, ...]) -> None:
    assert callable(start)
    pod = start(*arguments)
    port = 8443 if pod.tls else 8000
    host = "hub.example.org"
    assert pod.ask(port, "GET", "/hub/home", Host=host)[:2] == (200, "hub /hub/home")
    first = f"/{host}" if "--host-routing" in arguments else ""
    route = f"/api/routes{first}/user/ada"
    assert pod.api("POST", route, "http://nobody.invalid:8888") == 201
    status, page, _ = pod.ask(port, "GET", "/user/ada/x", Host=host)
    assert (status, page) == (503, "hub /hub/error/503?url=/user/ada/x")
    assert pod.api("DELETE", route) == 204
    assert pod.ask(8001, "GET", "/api/routes")[0] == 403
    if pod.tls:
        redirected = pod.ask(8000, "GET", "/hub/home", Host=host)
        assert (redirected[0], redirected[2]) == (301, f"https://{host}/hub/home")
    docker("kill", "--signal", "TERM", pod.name)
    assert docker("wait", pod.name, timeout=GRACE_SECONDS) == "0"

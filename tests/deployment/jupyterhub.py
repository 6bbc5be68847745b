"""A JupyterHub from PyPI as a process, with labgate as its proxy."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.certificates import pair
from tests.conftest import require
from tests.e2e.programs import free_port, until

START_SECONDS = 120.0
PASSWORD = "two users, one password"
NAME = "hub.example.test"
LABGATE = Path(sys.executable).parent / "labgate"
COMMAND = 'c.ConfigurableHTTPProxy.command = ["labgate", "hub"]'
"""The line of .github/JUPYTERHUB.md."""
PACKAGES = ("jupyterhub>=5,<7", "jupyterhub-idle-culler>=1.4", "dockerspawner>=13")

CONFIGURATION = """
c.JupyterHub.bind_url = {public_url!r}
c.JupyterHub.hub_bind_url = {hub_url!r}
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "culler", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{
    "name": "culler", "services": ["culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
}}]
c.ConfigurableHTTPProxy.api_url = {api_url!r}
"""

LOCAL_SPAWNER = """
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/home/{{username}}"
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{
    "JUPYTER_PATH": "{prefix}/share/jupyter", "JUPYTER_CONFIG_PATH": "{prefix}/etc/jupyter",
    "JUPYTERLAB_SETTINGS_DIR": "{folder}/settings", "SHELL": "/bin/bash",
}}
"""


def install(folder: Path) -> Path:
    """JupyterHub in an environment that finds this one's JupyterLab; the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    library = next((folder / "lib").glob("python*")) / "site-packages"
    (library / "lab.pth").write_text(sysconfig.get_path("purelib"))
    pip = [str(folder / "bin" / "python"), "-m", "pip", "-qq", "--disable-pip-version-check"]
    installing = subprocess.run([*pip, "install", *PACKAGES], check=False, timeout=500)
    require(installing.returncode == 0, "JupyterHub cannot be had", "pip install jupyterhub")
    return folder / "bin"


class Kind(NamedTuple):
    """Which of the documented set-ups a Hub has.

    Attributes:
        by_host: Whether each user has a subdomain.
        public_tls: Whether the proxy speaks TLS with browsers.
        internal_tls: Whether everybody else does among themselves.
    """

    by_host: bool = False
    public_tls: bool = False
    internal_tls: bool = False


PLAIN = Kind()


@dataclass
class JupyterHub:
    """A JupyterHub on free ports of this machine.

    Attributes:
        programs: Where its program is.
        folder: Where it keeps what it writes.
        kind: Its set-up.
        hub_address: Where the Hub listens for its users' servers.
    """

    programs: Path
    folder: Path
    kind: Kind = PLAIN
    hub_address: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    hub_port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    more: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        require(LABGATE.exists(), f"no {LABGATE}", "make .venv/dev.stamp")
        (self.folder / "bin").mkdir()
        (self.folder / "bin/labgate").symlink_to(LABGATE)
        if self.kind.public_tls:
            self.cert, self.key = pair(self.folder / "public", NAME, f"*.{NAME}")

    @property
    def _inside(self) -> str:
        return "https" if self.kind.internal_tls else "http"

    def url(self, user: str = "") -> str:
        """The origin of the Hub, or of a user's server."""
        name = f"{user}.{NAME}" if user and self.kind.by_host else NAME
        return f"http{'s' * self.kind.public_tls}://{name}:{self.port}"

    def configure(self) -> None:
        """Write ``jupyterhub_config.py``."""
        text = CONFIGURATION.format(
            public_url=f"http{'s' * self.kind.public_tls}://127.0.0.1:{self.port}",
            hub_url=f"{self._inside}://{self.hub_address}:{self.hub_port}",
            api_url=f"{self._inside}://127.0.0.1:{self.api_port}",
            password=PASSWORD,
            token=self.token,
        )
        lines = list(self.more)
        if self.kind.by_host:
            lines.append(f"c.JupyterHub.subdomain_host = {self.url()!r}")
        if self.kind.public_tls:
            lines.append(f"c.JupyterHub.ssl_cert = '{self.cert}'")
            lines.append(f"c.JupyterHub.ssl_key = '{self.key}'")
        if self.kind.internal_tls:
            lines.append("c.JupyterHub.internal_ssl = True")
            # Servers have working folders of their own, and get these names as they are.
            lines.append(f"c.JupyterHub.internal_certs_location = '{self.folder}/ssl'")
        (self.folder / "jupyterhub_config.py").write_text("\n".join([text, *lines, ""]))

    def use_local_spawner(self) -> None:
        """Let each user's server be a process of this machine, which opens a notebook."""
        self.more.append(LOCAL_SPAWNER.format(folder=self.folder, prefix=sys.prefix))

    @property
    def environment(self) -> dict[str, str]:
        """What an administrator has: the programs in ``PATH``, and a home; nothing of labgate's."""
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABGATE_", "PYTHON", "XDG_"))
        }
        return {
            **others,
            "PATH": f"{self.folder / 'bin'}:{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CONFIGPROXY_AUTH_TOKEN": self.token,
        }

    def start(self, *arguments: str) -> None:
        """Start it; returns when it runs, or has ended by itself."""
        with (self.folder / "hub.log").open("ab") as log:
            self.process = process = subprocess.Popen(
                [self.programs / "jupyterhub", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        until(
            lambda: "JupyterHub is now running" in self.log or process.poll() is not None,
            lambda: self.log,
            START_SECONDS,
        )

    def generate_certificates(self) -> None:
        """For ``internal_ssl`` before the Hub is started."""
        self.start("--generate-certs")
        assert self.process is not None
        assert self.process.wait(START_SECONDS) == 0, self.log

    def stop(self) -> None:
        """End it, and the servers and the proxy that it started."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        # A Hub that looks after its proxy every second starts one more while it ends.
        for process in psutil.process_iter(["cmdline"]):
            if f"{self.api_port}" in (process.info["cmdline"] or ()):
                process.kill()

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    @property
    def proxy_pid(self) -> int:
        """The process of the proxy that the Hub has started; 0 while there is none."""
        try:
            return int((self.folder / "jupyterhub-proxy.pid").read_text())
        except FileNotFoundError:
            return 0

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """A call of the Hub's API, through the proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, f"/hub/api{path}", headers={"Authorization": f"token {self.token}"}
            )
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else None
        finally:
            connection.close()

    def servers(self) -> set[str]:
        """The users whose servers run."""
        status, users = self.ask("GET", "/users?state=active")
        assert status == 200, users
        return {user["name"] for user in users if "" in user["servers"]}


@contextmanager
def running_hub(hub: JupyterHub) -> Iterator[JupyterHub]:
    """The Hub until the end, with a proxy that it starts itself."""
    hub.more.append(COMMAND)
    hub.configure()
    try:
        hub.start()
        assert hub.process is not None
        assert hub.process.poll() is None, hub.log
        yield hub
    finally:
        hub.stop()
        print(hub.log[-6000:])

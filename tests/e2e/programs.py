"""The real programs of an end-to-end test, each as a process: Jupyter, labgate, nginx."""

from __future__ import annotations

import http.client
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.conftest import require
from tests.fronts import front

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 90.0
STOP_SECONDS = 60.0

TOKEN = "e2e-0123456789abcdef-token"
PASSWORD = "correct horse battery staple"


Answered = TypeVar("Answered")


def until(
    condition: Callable[[], Answered],
    what: str | Callable[[], str],
    seconds: float = START_SECONDS,
) -> Answered:
    """Ask until the answer is true, and return it; fail with ``what`` was waited for.

    More and more seldom, because asking costs what is waited for its time.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(what if isinstance(what, str) else what())
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)


# What the kernel gives away by itself begins at 32768 on Linux and at 49152 on macOS.
_first = 12_000 + 2500 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8)
_untried = random.sample(range(_first, _first + 2500), 2500)


def free_port() -> int:
    """A port that is free on both loopback addresses, and that nobody else is given.

    Not by the kernel to a connection or to port 0 before the program listens, not by this
    function again, and not by another worker of pytest-xdist: each has ports of its own.
    """
    while True:
        port = _untried.pop()
        with (
            suppress(OSError),
            socket.socket() as four,
            socket.socket(socket.AF_INET6) as six,
        ):
            four.bind(("127.0.0.1", port))
            six.bind(("::1", port))
            return port


class Program:
    """A process with its output in a file, started by ``with`` and ended by its end."""

    name = "program"

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), **(environment or {})}
        self.stdout = folder / f"{self.name}.out"
        self.stderr = folder / f"{self.name}.err"
        self.process: subprocess.Popen[bytes] | None = None
        self.stdin = subprocess.DEVNULL

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it does what it was started for."""
        raise NotImplementedError

    def spawn(self) -> Self:
        """Start it, wait for nothing."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABGATE_", "JUPYTER", "XDG_"))
        }
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=inherited | self.environment,
                stdin=self.stdin,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return self

    def spawn_at_terminal(self, *before: str, after: Sequence[str] = ()) -> int:
        """Start it in a session of its own at a new terminal; returns the terminal's other end.

        Args:
            before: Words of a command that the command of the program is appended to.
            after: Further arguments.
        """
        setsid = shutil.which("setsid")
        require(setsid, "no setsid", "apt-get install util-linux")
        terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            [str(setsid), "--ctty", *before, *self.command(), *after],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **self.environment},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        return terminal

    def start(self) -> Self:
        """Start it, and wait until it is ready."""
        self.spawn()
        try:
            until(self._ready_or_gone, lambda: f"{self.name} is not ready:\n{self.log}")
        except BaseException:
            self.kill()
            raise
        return self

    def _ready_or_gone(self) -> bool:
        assert self.running.poll() is None, f"{self.name} ended:\n{self.log}"
        return self.ready()

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, f"{self.name} was not started"
        return self.process

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def log(self) -> str:
        """Everything it wrote to standard error since it was started."""
        return self.stderr.read_text(errors="replace") if self.stderr.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        if self.running.poll() is None:
            self.running.send_signal(number)
        return self.running.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it and what it started in its session, at once."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()


LAB_SETTINGS = {
    f"@jupyterlab/{name}.jupyterlab-settings": json.dumps(said)
    for name, said in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "terminal-extension/plugin": {"screenReaderMode": True},
    }.items()
}
"""No question about news in the way, and terminals that can be read; by file."""


class Jupyter(Program):
    """A real JupyterLab on a loopback port or a Unix socket, as anybody starts it by hand.

    Its folders stay when it is stopped and started again: that is a restart.
    """

    name = "jupyter"

    def __init__(
        self, folder: Path, *arguments: str, hashed_password: str = "", sock: Path | None = None
    ) -> None:
        super().__init__(
            folder,
            {
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "IPYTHONDIR": str(folder / "ipython"),
                "SHELL": "/bin/bash",
            },
        )
        self.port = 0 if sock else free_port()
        self.sock = sock
        self.base_url = "/"
        """Where it answers; whoever configures another one says so here."""
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self._arguments = arguments
        self._hashed_password = hashed_password
        self._settle()

    @property
    def upstream(self) -> str:
        return f"unix:{self.sock}" if self.sock else f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        place = (
            [f"--ServerApp.sock={self.sock}"]
            if self.sock
            else ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"]
        )
        login = (
            [f"--PasswordIdentityProvider.hashed_password={self._hashed_password}"]
            if self._hashed_password
            else [f"--IdentityProvider.token={TOKEN}"]
        )
        root = ["--allow-root"] if os.geteuid() == 0 else []
        given = [*place, *login, *root, f"--ServerApp.root_dir={self.work}", *self._arguments]
        fixed = ["--no-browser", "--ServerApp.port_retries=0"]
        return [sys.executable, "-P", "-m", "jupyterlab", *fixed, *given]

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            if self.sock:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.connect(str(self.sock))
            connection.request("GET", f"{self.base_url}api", headers={"Host": "localhost"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _settle(self) -> None:
        for name, content in LAB_SETTINGS.items():
            path = self.folder / "settings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response."""

    status: int
    fields: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Labgate(Program):
    """``python -m proxy …`` on free ports, its state in the test's folder."""

    name = "labgate"

    def __init__(
        self,
        folder: Path,
        command: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        tls: bool = True,
    ) -> None:
        state = {"XDG_STATE_HOME": str(folder)}
        if "process" in arguments:
            # One of the kernel's may be taken again before Jupyter, which is slow, listens.
            state["LABGATE_JUPYTER__PORT"] = str(free_port())
        if front() == "http2":
            state["LABGATE_LISTEN__HTTP2"] = str(tls).lower()
        elif front() != "labgate":
            state["LABGATE_LISTEN__SERVER"] = front()
        super().__init__(folder, state | dict(environment or {}))
        self.tls = tls
        self.https_port = free_port() if tls else 0
        self.http_port = free_port()
        self._arguments = (command, *arguments)

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def authority(self) -> Path:
        """The development CA's certificate."""
        return self.folder / "labgate" / "ca.pem"

    def command(self) -> list[str]:
        ports = ["--http-port", str(self.http_port)]
        if self.tls:
            ports += ["--https-port", str(self.https_port)]
        return [sys.executable, "-m", "proxy", *self._arguments, *ports]

    def ready(self) -> bool:
        return " INFO ready: " in self.log

    def ask_by_command(self, *words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run another command of labgate's, as ``status``, that asks this one."""
        return subprocess.run(
            [sys.executable, "-m", "proxy", *words],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @property
    def facts(self) -> dict[str, str]:
        """What the latest line that labgate is ready says, by name."""
        line = self.log.rpartition(" INFO ready: ")[2].partition("\n")[0]
        found = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', line)
        return {name: json.loads(said) for name, said in found}

    @property
    def token(self) -> str:
        """Jupyter's login token, from the file that the start-up lines name."""
        return Path(self.facts["log_in"].rpartition(" in ")[2]).read_text("ascii").strip()

    @property
    def opens(self) -> str:
        """The address that logs in, as a terminal gets it."""
        return f"{self.facts['open']}?token={self.token}"

    @property
    def trusting(self) -> ssl.SSLContext:
        """A client that trusts the development CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.authority))

    @property
    def trusting_threads(self) -> ssl.SSLContext:
        """The same for a client that reads in one thread and writes in another.

        With TLS 1.3 what is written while the session tickets are read can be lost (Python
        before 3.13 has no lock there): once in some 300 dials, with other servers too.
        """
        context = self.trusting
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def connection(self, seconds: float = 60) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=seconds)
        return http.client.HTTPSConnection(
            "localhost", self.https_port, timeout=seconds, context=self.trusting
        )

    def ask(self, method: str, target: str, body: Any = None, **fields: str) -> Answer:
        """One request; an underscore in a field's name stands for a hyphen."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection = self.connection()
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


class Listening(Program):
    """A program that is ready when it listens on ``port``."""

    port: int

    def ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Nginx(Listening):
    """A real nginx.

    Args:
        folder: Its files.
        port: One that ``http`` listens on.
        http: The content of its ``http`` block.
    """

    name = "nginx"

    def __init__(self, folder: Path, port: int, http: str) -> None:
        super().__init__(folder)
        self.port = port
        self._configuration = folder / "nginx.conf"
        temporary = "\n".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self._configuration.write_text(f"""\
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
{temporary}
{http}
}}
""")

    def command(self) -> list[str]:
        return ["/usr/sbin/nginx", "-c", str(self._configuration), "-e", "stderr"]


class CopiedNginx(Nginx):
    """nginx as it is copied from page to page: Host and Origin are set to Jupyter's."""

    def __init__(self, folder: Path, upstream: str, cert: Path, key: Path) -> None:
        port = free_port()
        self.access = folder / "access.log"
        authority = upstream.removeprefix("http://")
        super().__init__(
            folder,
            port,
            f"""\
    access_log {self.access};
    server {{
        listen 127.0.0.1:{port} ssl;
        listen [::1]:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        client_max_body_size 0;
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host {authority};
            proxy_set_header Origin http://{authority};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}""",
        )

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"


def peak_memory(pid: int) -> int:
    """The most memory the process ever had resident, in bytes."""
    return _status_bytes(pid, "VmHWM")


def resident_memory(pid: int) -> int:
    """What the process has resident now, in bytes."""
    return _status_bytes(pid, "VmRSS")


def forget_peak_memory(pid: int) -> None:
    """From now on the peak counts anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_bytes(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.removesuffix("kB")) * 1024
    raise LookupError(key)

"""However Jupyter ends, ``labgate up`` brings it back; but a person may shut both down."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
import psutil
import pytest

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import docker, inspect, pause
from tests.e2e.programs import Labgate, free_port, until

NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
NO_TERMINAL, TERMINAL = False, True


@contextmanager
def up(folder: Path, *arguments: str, terminal: bool) -> Iterator[Labgate]:
    """``labgate up`` at a terminal or, as a service, without one."""
    environment = {"LABGATE_JUPYTER__PORT": str(free_port())}
    labgate = Labgate(folder, "up", *arguments, environment=environment)
    ours, its = os.openpty()
    try:
        if terminal:
            labgate.stdin = its
        with labgate:
            yield labgate
    finally:
        os.close(ours)
        os.close(its)


def token_of(labgate: Labgate) -> str:
    return urlsplit(labgate.opens).query


def waits(labgate: Labgate) -> bool:
    """Whether a person sees the page that opens by itself."""
    answer = labgate.ask("GET", "/lab", **NAVIGATION)
    return answer.status == 503 and b"opens by itself" in answer.body


def works(labgate: Labgate) -> bool:
    """Whether the address that was printed at the start opens Jupyter."""
    return labgate.ask("GET", f"/api/status?{token_of(labgate)}").status == 200


def comes_back(labgate: Labgate) -> None:
    """With the waiting page meanwhile, and the same login."""
    until(lambda: waits(labgate), lambda: f"no waiting page\n{labgate.log}")
    until(lambda: works(labgate), lambda: f"it does not come back\n{labgate.log}", 90)
    assert labgate.ask("GET", "/.labgate/ready").status == 200


def starts_after_all(labgate: Labgate, why: str) -> None:
    """Ended before it answered for the first time, which no log line has said yet."""
    assert not labgate.ready()
    until(lambda: labgate.ready() or labgate.running.poll() is not None, "not ready, not ended")
    assert f"Jupyter ended: {why}; starting it again in 1 s" in labgate.log
    assert labgate.log.count(" INFO ready: ") == 1
    assert works(labgate)


def shut_down(labgate: Labgate) -> None:
    """As Shut Down in Lab's File menu does."""
    assert labgate.ask("POST", f"/api/shutdown?{token_of(labgate)}").status == 200


def ends_with_jupyter(labgate: Labgate) -> None:
    """The shutdown by its own menu ends a person's labgate, too."""
    shut_down(labgate)
    assert labgate.running.wait(60) == 0
    assert "shut itself down); labgate stops too." in labgate.log
    assert "Traceback" not in labgate.log


def goes_on_after_its_menu(labgate: Labgate) -> None:
    """A service starts it again; the service itself is stopped."""
    shut_down(labgate)
    comes_back(labgate)
    assert "shut itself down; starting it again" in labgate.log
    assert labgate.stop() == 0
    assert "Traceback" not in labgate.log


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
class TestProcess:
    @contextmanager
    def up(self, folder: Path, *, terminal: bool) -> Iterator[Labgate]:
        arguments = ("--launch", "process", "--folder", str(folder))
        with up(folder, *arguments, terminal=terminal) as labgate:
            yield labgate

    def ended_from_outside(self, labgate: Labgate, number: signal.Signals) -> None:
        (jupyter,) = psutil.Process(labgate.pid).children()
        jupyter.send_signal(number)
        comes_back(labgate)
        assert f"the process was ended by {number.name}; starting it again" in labgate.log

    def test_before_its_first_answer(self, tmp_path: Path) -> None:
        labgate = Labgate(tmp_path, "up", "--launch", "process", "--folder", str(tmp_path)).spawn()
        try:
            (jupyter,) = until(psutil.Process(labgate.pid).children, "no Jupyter")
            jupyter.kill()
            starts_after_all(labgate, "the process was ended by SIGKILL")
        finally:
            labgate.kill()

    def test_a_persons(self, tmp_path: Path) -> None:
        with self.up(tmp_path, terminal=TERMINAL) as labgate:
            self.ended_from_outside(labgate, signal.SIGTERM)
            ends_with_jupyter(labgate)

    def test_a_services(self, tmp_path: Path) -> None:
        with self.up(tmp_path, terminal=NO_TERMINAL) as labgate:
            self.ended_from_outside(labgate, signal.SIGKILL)
            goes_on_after_its_menu(labgate)


def is_running(name: str) -> bool:
    """Whether there is such a container, and it runs."""
    asked = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Running}}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() == "true"


def on_disk(folder: Path) -> bytes:
    """What the cache has of the one file that it keeps; empty for nothing."""
    for path in (folder / "labgate" / "static-files").glob("*/*"):
        # With a suffix it is being written, or says which files are kept.
        if not path.suffix:
            with suppress(FileNotFoundError):
                return path.read_bytes()
    return b""


@pytest.mark.deployment
@pytest.mark.docker
class TestContainer:
    @contextmanager
    def up(self, folder: Path, name: str, *, terminal: bool) -> Iterator[Labgate]:
        arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name)
        volume = f"{name}:/home/jovyan/work"
        with up(folder, *arguments, "--volume", volume, terminal=terminal) as labgate:
            yield labgate

    def ended_from_outside(self, labgate: Labgate, name: str, command: str, reason: str) -> None:
        port = inspect(name, "{{json .NetworkSettings.Ports}}")
        with subprocess.Popen(["docker", *command.split(), name], stdout=subprocess.DEVNULL):
            comes_back(labgate)
        # On a busy machine Jupyter needs longer than the engine waits, and the last signal is 9.
        said = re.escape(f"container {name} {reason}") + r"( \(signal \d+\))?; starting it again"
        assert re.search(said, labgate.log), labgate.log
        assert inspect(name, "{{json .NetworkSettings.Ports}}") == port

    def test_before_its_first_answer(self, name: str, tmp_path: Path) -> None:
        arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name, "--volume", "")
        port = {"LABGATE_JUPYTER__PORT": str(free_port())}
        labgate = Labgate(tmp_path, "up", *arguments, environment=port).spawn()
        try:
            until(lambda: is_running(name), "no container")
            docker("kill", name)
            starts_after_all(labgate, f"container {name} was stopped from outside (signal 9)")
        finally:
            labgate.kill()

    def test_a_persons(self, name: str, tmp_path: Path) -> None:
        with self.up(tmp_path, name, terminal=TERMINAL) as labgate:
            said = "was stopped from outside"
            self.ended_from_outside(labgate, name, "stop", said)
            self.ended_from_outside(labgate, name, "kill", f"{said} (signal 9)")
            ends_with_jupyter(labgate)

    def test_a_services(self, name: str, tmp_path: Path) -> None:
        with self.up(tmp_path, name, terminal=NO_TERMINAL) as labgate:
            self.ended_from_outside(labgate, name, "rm --force", "was removed")
            with subprocess.Popen(["docker", "restart", name], stdout=subprocess.DEVNULL):
                comes_back(labgate)
            goes_on_after_its_menu(labgate)
            assert is_running(name), "a stopped service leaves the kernels running"

    def test_files_of_a_removed_one_are_not_sent_any_more(self, name: str, tmp_path: Path) -> None:
        """Its names and its port are those of the next one, and so are the names of its files."""
        with self.up(tmp_path, name, terminal=NO_TERMINAL) as labgate:
            page = labgate.ask("GET", f"/lab?{token_of(labgate)}").body.decode()
            (script,) = set(re.findall(r"/static/lab/main\.\w+\.js", page))
            path = script.replace("/static/lab/", "/opt/conda/share/jupyter/lab/static/")
            docker("exec", "--user", "root", name, "sh", "-c", f"echo '// former' >> {path}")
            assert self.file(labgate, script).endswith(b"// former\n")
            until(lambda: on_disk(tmp_path), "it is not kept")
            assert self.file(labgate, script, kept=True).endswith(b"// former\n")
            docker("rm", "--force", name)
            comes_back(labgate)
            assert b"// former" not in self.file(labgate, script)
            until(lambda: not on_disk(tmp_path), "the former one is still kept")
            assert b"// former" not in self.file(labgate, script)
            until(lambda: on_disk(tmp_path), "the new one is not kept")
            assert b"// former" not in self.file(labgate, script, kept=True)

    def file(self, labgate: Labgate, target: str, *, kept: bool = False) -> bytes:
        """A static file as a browser gets it; ``kept`` says that it comes from the cache."""
        answer = labgate.ask("GET", target, Accept_Encoding="br")
        assert (answer.status, "Age" in answer.fields) == (200, kept)
        content: bytes = brotli.decompress(answer.body)
        return content

    def test_paused(self, name: str, tmp_path: Path) -> None:
        with self.up(tmp_path, name, terminal=TERMINAL) as labgate:
            pause(name)
            until(lambda: labgate.ask("GET", "/.labgate/ready").status == 503, "ready, and paused")
            docker("unpause", name)
            assert works(labgate)
            assert "Jupyter ended" not in labgate.log

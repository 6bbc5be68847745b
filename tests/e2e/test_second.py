"""A second ``labgate up`` for the same state folder or container is refused, changing nothing."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.containers import docker, inspect
from tests.e2e.programs import START_SECONDS, Labgate, free_port, until

SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class Second(Labgate):
    """Another one, whose output goes elsewhere."""

    name = "second"


def wait_for_the_last_file(folder: Path) -> None:
    """The inspector's key is written a second after the ports have opened."""
    until((folder / "labgate" / "inspector.key").exists, "no key of the inspector's sessions")


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of a state folder: a digest, and when it was changed."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_refused(second: Labgate, first: Labgate) -> None:
    """It says who runs, and ends with 1."""
    second.spawn()
    try:
        assert second.running.wait(START_SECONDS) == 1
        assert re.match(
            rf"labgate: Already running as process {first.pid}( of \w+)?, {SINCE}, with the ",
            second.log,
        ), second.log
        assert second.log.count("\n") == 1
    finally:
        second.kill()


LAUNCHED = ("up", "--launch", "process", "--folder", "/tmp")
PLAIN = ("up", "--launch", "none", "--upstream", "http://127.0.0.1:9")


@pytest.mark.deployment
@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_the_same_state_folder(tmp_path: Path) -> None:
    with Labgate(tmp_path, *LAUNCHED) as first:
        token = first.token
        wait_for_the_last_file(tmp_path)
        state = contents(tmp_path / "labgate")
        for command in (LAUNCHED, PLAIN, (*PLAIN, "--workers", "2")):
            assert_refused(Second(tmp_path, *command), first)
        assert contents(tmp_path / "labgate") == state
        assert first.ask("GET", f"/api/status?token={token}").status == 200
        assert first.stop() == 0
    with Second(tmp_path, *LAUNCHED) as second:
        assert second.stop() == 0


def test_the_supervisor_has_it_for_its_workers(tmp_path: Path) -> None:
    with Labgate(tmp_path, *PLAIN, "--workers", "2") as first:
        assert_refused(Second(tmp_path, *PLAIN), first)
        assert first.stop() == 0


def test_after_a_sigkill_the_next_start_works_at_once(tmp_path: Path) -> None:
    with Labgate(tmp_path, *PLAIN) as first:
        first.running.kill()
        first.running.wait()
        with Second(tmp_path, *PLAIN) as second:
            assert second.stop() == 0


def test_serve_and_other_folders_are_no_business_of_it(tmp_path: Path) -> None:
    """The same state folder for ``serve`` and ``cert``, another one for ``up``."""
    other = tmp_path / "other"
    other.mkdir()
    with Labgate(tmp_path, *PLAIN) as first:
        serve = ("serve", "--upstream", "http://127.0.0.1:9")
        for second in (Second(tmp_path, *serve), Second(other, *PLAIN)):
            with second:
                assert second.ask("GET", "/.labgate/health").status == 200
                assert second.stop() == 0
        assert first.stop() == 0


@pytest.mark.parametrize("blocked", ["a file in its place", "a link in its place"])
def test_a_state_folder_that_cannot_be(blocked: str, tmp_path: Path) -> None:
    if "file" in blocked:
        (tmp_path / "labgate").write_text("")
    else:
        (tmp_path / "labgate").mkdir()
        (tmp_path / "labgate" / "up.lock").symlink_to(tmp_path / "elsewhere")
    labgate = Labgate(tmp_path, *PLAIN).spawn()
    try:
        assert labgate.running.wait(START_SECONDS) == 1
        assert str(tmp_path / "labgate") in labgate.log
        assert "state.folder" in labgate.log
        assert "Traceback" not in labgate.log
        assert not (tmp_path / "elsewhere").exists()
    finally:
        labgate.kill()


@pytest.mark.docker
class TestContainer:
    def test_the_same_container(self, name: str, stand_in: str, tmp_path: Path) -> None:
        """Of another state folder, and with settings that would replace it."""
        other = tmp_path / "other"
        other.mkdir()
        command = ("up", "--launch", "docker", "--image", stand_in, "--name", name)
        port = {"LABGATE_JUPYTER__PORT": str(free_port())}
        with Labgate(tmp_path, *command, environment=port) as first:
            token = first.token
            identity = inspect(name, "{{.Id}} {{.State.StartedAt}}")
            wait_for_the_last_file(tmp_path)
            state = contents(tmp_path / "labgate")
            second = Second(other, *command, "--memory-limit", "1g", environment=port)
            assert_refused(second, first)
            host = {"DOCKER_HOST": "unix:///var/run/../run/docker.sock"}
            assert_refused(Second(other, *command, environment=port | host), first)
            assert inspect(name, "{{.Id}} {{.State.StartedAt}}") == identity
            assert contents(tmp_path / "labgate") == state
            assert contents(other / "labgate").keys() == {"up.lock"}
            assert first.ask("GET", f"/api/status?token={token}").status == 200
            os.kill(first.pid, signal.SIGKILL)
            first.running.wait()
            with Second(other, *command, environment=port) as again:
                assert again.stop() == 0
        docker("inspect", name)

"""Kernels in a container outlive labgate: what a notebook has set is there after a restart."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import docker
from tests.e2e.programs import Labgate, until
from tests.e2e.steady_load import SteadyLoad

SESSION = uuid4().hex


@contextmanager
def channel(labgate: Labgate, kernel: str) -> Iterator[ClientConnection]:
    target = f"api/kernels/{kernel}/channels?token={labgate.token}"
    with connect(
        f"wss://localhost:{labgate.https_port}/{target}",
        ssl=labgate.trusting_threads,
        proxy=None,
        origin=Origin(labgate.origin),
    ) as opened:
        yield opened


def printed(opened: ClientConnection, code: str) -> str:
    """What the kernel prints when it runs the code."""
    header = {"msg_id": uuid4().hex, "msg_type": "execute_request", "session": SESSION}
    header |= {"username": "", "version": "5.3", "date": ""}
    content: dict[str, Any] = {"code": code, "silent": False, "store_history": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    opened.send(json.dumps(message | {"channel": "shell"}))
    output = ""
    while True:
        answer = json.loads(opened.recv(60))
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if answer["msg_type"] == "stream":
            output += answer["content"]["text"]
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return output


def upgrade(labgate: Labgate, exit_code: int = 0) -> str:
    """What ``labgate upgrade`` prints."""
    ended = labgate.ask_by_command("upgrade")
    assert ended.returncode == exit_code, ended.stderr
    return ended.stdout


@pytest.mark.docker
@pytest.mark.deployment
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_a_variable_outlives_labgate(how: str, name: str, tmp_path: Path) -> None:
    """But for Ctrl-C, which stops both, as it was announced."""
    arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name)
    labgate = Labgate(tmp_path, "up", *arguments)
    with labgate:
        token = f"token {labgate.token}"
        kernel = labgate.ask("POST", "/api/kernels", Authorization=token).json()["id"]
        with channel(labgate, kernel) as opened:
            assert printed(opened, "kept = 6 * 7; print(kept)") == "42\n"
        if how == "SIGKILL":
            labgate.kill()
        else:
            assert labgate.stop(signal.Signals[how]) == 0
        running = docker("inspect", "--format", "{{.State.Running}}", name)
        assert running == ("false" if how == "SIGINT" else "true")
    if how == "SIGINT":
        return
    with labgate:
        assert "adopted" in labgate.log
        with channel(labgate, kernel) as opened:
            assert printed(opened, "print(kept)") == "42\n"
        assert labgate.stop(signal.SIGINT) == 0


@pytest.mark.docker
@pytest.mark.deployment
@pytest.mark.parametrize("change", ["", '[jupyter]\nmemory_limit = "1g"\n'], ids=["", "differs"])
def test_a_notebook_goes_on_across_an_upgrade(change: str, name: str, tmp_path: Path) -> None:
    """Its open WebSocket stays with the one before, and new ones reach the same kernel.

    Also where the container would be replaced by a new start.
    """
    file = tmp_path / "labgate.toml"
    file.write_text("")
    arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name, "--recreate")
    labgate = Labgate(tmp_path, "up", *arguments, "--config", str(file))
    with labgate:
        file.write_text(change)
        token = f"token {labgate.token}"
        kernel = labgate.ask("POST", "/api/kernels", Authorization=token).json()["id"]
        started = docker("inspect", "--format", "{{.State.StartedAt}}", name)
        with channel(labgate, kernel) as opened:
            assert printed(opened, "kept = 6 * 7; print(kept)") == "42\n"
            with SteadyLoad(labgate.connection, "/api") as load:
                load.wait_for(10)
                said = upgrade(labgate)
                load.wait_for(10)
            assert load.lost == []
            successor = int(said.split("process ")[1].split()[0])
            with channel(labgate, kernel) as new:
                assert printed(new, "print(kept)") == "42\n"
            assert printed(opened, "print(kept + 1)") == "43\n"
        assert labgate.running.wait(60) == 0
        assert docker("inspect", "--format", "{{.State.StartedAt}}", name) == started
        assert "adopted" in labgate.log
        kept = "(memory limit: was none, will be 1 GiB). It goes on as it is; an upgrade replaces"
        assert (kept in labgate.log) == bool(change)
        os.kill(successor, signal.SIGINT)
        running = ("inspect", "--format", "{{.State.Running}}", name)
        until(lambda: docker(*running) == "false", "Ctrl-C stops the container")


@pytest.mark.docker
@pytest.mark.deployment
@pytest.mark.parametrize("change", ["name", "launch"])
def test_an_upgrade_leaves_no_kernel_behind(change: str, name: str, tmp_path: Path) -> None:
    """Where the configuration names another Jupyter by now, the one that runs goes on."""
    file = tmp_path / "labgate.toml"
    keys = f'image = "{TEST_IMAGE}"\nname = "{name}"\nlaunch = "docker"\n'
    file.write_text(f"[jupyter]\n{keys}")
    labgate = Labgate(tmp_path, "up", "--config", str(file))
    with labgate:
        token = f"token {labgate.token}"
        kernel = labgate.ask("POST", "/api/kernels", Authorization=token).json()["id"]
        with channel(labgate, kernel) as opened:
            assert printed(opened, "kept = 6 * 7; print(kept)") == "42\n"
        other = {"name": (name, f"{name}-b"), "launch": ('"docker"', '"process"')}[change]
        file.write_text(file.read_text().replace(*other))
        upgrade(labgate, exit_code=1)
        assert "an upgrade keeps it, and its kernels" in labgate.log
        with channel(labgate, kernel) as opened:
            assert printed(opened, "print(kept)") == "42\n"
        assert labgate.stop(signal.SIGINT) == 0

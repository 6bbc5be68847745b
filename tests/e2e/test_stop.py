"""Ctrl-C means one thing, and the start-up lines say it: labgate and the Jupyter it launched."""

from __future__ import annotations

import os
import signal
from asyncio import to_thread
from pathlib import Path

import psutil
import pytest

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import docker, inspect
from tests.e2e.programs import Jupyter, Labgate, free_port, until
from tests.jupyter.registry import registry

SUSPEND = """
import os, signal
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) not in (1, os.getpid()):
        os.kill(int(pid), signal.SIGSTOP)
"""


def interrupt(labgate: Labgate) -> int:
    """Ctrl-C in labgate's terminal: SIGINT for its whole process group; the exit code."""
    os.killpg(labgate.pid, signal.SIGINT)
    return labgate.running.wait(60)


def interrupt_twice(labgate: Labgate) -> int:
    """The second one when the first is under way."""
    os.killpg(labgate.pid, signal.SIGINT)
    until(lambda: "Stopping" in labgate.log, lambda: labgate.log)
    return interrupt(labgate)


def has_ended(process: psutil.Process) -> bool:
    """A zombie has: the first process of a container may collect no children."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
class TestProcess:
    def labgate(self, folder: Path) -> Labgate:
        return Labgate(folder, "up", "--launch", "process", "--folder", str(folder))

    def test_one_that_was_launched_ends_too(self, tmp_path: Path) -> None:
        with self.labgate(tmp_path) as labgate:
            (jupyter,) = psutil.Process(labgate.pid).children()
            assert labgate.facts["stop"] == (
                f"SIGTERM stops labgate and Jupyter (process {jupyter.pid}); "
                "files are kept, kernels end"
            )
            assert interrupt(labgate) == 0
            assert not jupyter.is_running()

    def test_a_second_ctrl_c_does_not_wait_for_it(self, tmp_path: Path) -> None:
        with self.labgate(tmp_path) as labgate:
            (jupyter,) = psutil.Process(labgate.pid).children()
            jupyter.suspend()  # it does not hear that it should end
            assert interrupt_twice(labgate) == 0
            until(lambda: has_ended(jupyter), "Jupyter is left behind")
            assert "Traceback" not in labgate.log

    def test_one_that_labgate_did_not_launch_goes_on(self, tmp_path: Path) -> None:
        with Jupyter(tmp_path) as jupyter:
            arguments = ("--launch", "none", "--upstream", jupyter.upstream)
            with Labgate(tmp_path, "up", *arguments) as labgate:
                assert labgate.facts["stop"] == (
                    f"SIGTERM stops labgate; Jupyter at {jupyter.upstream} goes on"
                )
                assert interrupt(labgate) == 0
                assert jupyter.ready()


@pytest.mark.docker
class TestContainer:
    def labgate(self, folder: Path, name: str, image: str = TEST_IMAGE) -> Labgate:
        arguments = ("--launch", "docker", "--image", image, "--name", name)
        volume = f"{name}:/home/jovyan/work"
        return Labgate(folder, "up", *arguments, "--volume", volume, environment=self.port)

    @pytest.fixture(autouse=True)
    def _port(self) -> None:
        """Not the usual one, which somebody may take while the container is stopped."""
        self.port = {"LABGATE_JUPYTER__PORT": str(free_port())}

    def test_created_started_and_adopted_ones_end_alike(
        self, name: str, stand_in: str, tmp_path: Path
    ) -> None:
        says = (
            f"SIGTERM stops labgate; Jupyter (container {name}) goes on, and so do its kernels; "
            "`labgate stop` stops both"
        )
        for how in ("created", "started", "adopted"):
            if how == "adopted":
                docker("start", name)
            with self.labgate(tmp_path, name, stand_in) as labgate:
                assert f", {how}," in labgate.facts["jupyter"]
                assert labgate.facts["stop"] == says
                docker("exec", name, "sh", "-c", f"echo {how} >> work/file")
                assert interrupt(labgate) == 0
                assert "Traceback" not in labgate.log
            assert inspect(name, "{{.State.Running}}") == "false"
        docker("start", name)
        assert docker("exec", name, "cat", "work/file").split() == ["created", "started", "adopted"]

    def test_a_second_ctrl_c_leaves_the_end_to_the_engine(self, name: str, tmp_path: Path) -> None:
        with self.labgate(tmp_path, name) as labgate:
            # It does not hear that it should end, so the engine takes ten seconds.
            docker("exec", name, "python3", "-c", SUSPEND)
            assert interrupt_twice(labgate) == 0
            assert inspect(name, "{{.State.Running}}") == "true", "it was waited for"
            assert "Traceback" not in labgate.log
        until(lambda: inspect(name, "{{.State.Running}}") == "false", "left running")

    async def test_ctrl_c_while_the_image_is_pulled(self, name: str, tmp_path: Path) -> None:
        async with registry(1000, 1000, stuck=True) as image:
            arguments = ("--launch", "docker", "--image", image, "--name", name)
            labgate = Labgate(tmp_path, "up", *arguments).spawn()
            try:
                what = f"Pulling {image}"
                await to_thread(until, lambda: what in labgate.log, lambda: labgate.log)
                assert await to_thread(interrupt, labgate) == 0
                assert "Stopping" in labgate.log
                assert "Traceback" not in labgate.log
            finally:
                labgate.kill()

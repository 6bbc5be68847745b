from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.config.jupyter_settings import JupyterSettings
from proxy.errors import StartError
from proxy.jupyter.choose_launcher import choose_launcher
from proxy.jupyter.container import ContainerLauncher
from proxy.jupyter.engine import EngineUnavailable, connect_engine
from proxy.jupyter.process import ProcessLauncher
from tests.conftest import require


@contextmanager
def listening(path: Path) -> Iterator[Path]:
    """A socket that takes connections and says nothing."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


async def test_none(tmp_path: Path) -> None:
    assert await choose_launcher(JupyterSettings(launch="none"), tmp_path) is None


async def test_process(tmp_path: Path) -> None:
    chosen = await choose_launcher(JupyterSettings(launch="process"), tmp_path)
    assert isinstance(chosen, ProcessLauncher)
    await chosen.stop()


@pytest.mark.parametrize("launch", ["process", "auto"])
async def test_a_process_without_its_folder(
    launch: str, tmp_path: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{sockets}/docker.sock")
    settings = JupyterSettings.model_validate({"launch": launch, "folder": tmp_path / "none"})
    with pytest.raises(StartError) as caught:
        await choose_launcher(settings, tmp_path)
    assert str(caught.value) == (
        f"Work folder {tmp_path}/none does not exist. "
        f"Make it (mkdir -p {tmp_path}/none), or name another with jupyter.folder."
    )


async def test_a_process_in_a_folder_of_somebody_else(sockets: Path) -> None:
    require(os.geteuid() == 0, "only root can become somebody else", "run it as root")
    code = (
        "import asyncio, os, pathlib, sys\n"
        "from proxy.config.jupyter_settings import JupyterSettings\n"
        "from proxy.errors import StartError\n"
        "from proxy.jupyter.choose_launcher import choose_launcher\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "os.setuid(65534)\n"
        "settings = JupyterSettings(launch='process', folder=folder)\n"
        "try: asyncio.run(choose_launcher(settings, folder))\n"
        "except StartError as error: print(error)\n"
    )
    (sockets / "work").mkdir(mode=0o711)
    sockets.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(sockets / "work")),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    output, _ = await process.communicate()
    assert output.decode() == (
        f"Work folder {sockets}/work cannot be read. "
        "Change its permissions, or name another with jupyter.folder.\n"
    )


@pytest.mark.docker
@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("launch", ["docker", "auto"])
async def test_an_engine_answers(tmp_path: Path, launch: str) -> None:
    settings = JupyterSettings.model_validate({"launch": launch})
    chosen = await choose_launcher(settings, tmp_path)
    assert isinstance(chosen, ContainerLauncher)
    await chosen.stop()


async def test_no_engine(tmp_path: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{sockets}/docker.sock")
    chosen = await choose_launcher(JupyterSettings(launch="auto"), tmp_path)
    assert isinstance(chosen, ProcessLauncher)
    with pytest.raises(EngineUnavailable):
        await choose_launcher(JupyterSettings(launch="auto"), tmp_path, replaces=False)
    with pytest.raises(StartError) as caught:
        await choose_launcher(JupyterSettings(launch="docker"), tmp_path)
    assert str(caught.value) == (
        f"Docker Engine not reachable at unix://{sockets}/docker.sock: "
        "No such file or directory. "
        "Start it (`systemctl start docker`), or use --launch process."
    )


async def test_an_engine_that_keeps_silent(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{sockets}/docker.sock")
    silence = pytest.raises(EngineUnavailable, match=r"no answer within 0\.1 s")
    with listening(sockets / "docker.sock"), silence:
        await connect_engine(0.1)


async def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "the blue whale")
    with pytest.raises(EngineUnavailable, match="not reachable"):
        await connect_engine()


async def test_not_allowed(sockets: Path) -> None:
    require(os.geteuid() == 0, "only root can become somebody else", "run it as root")
    sockets.chmod(0o755)
    code = (
        "import asyncio, os\n"
        "from proxy.jupyter.engine import connect_engine, EngineUnavailable\n"
        "os.setuid(65534)\n"
        "try: asyncio.run(connect_engine())\n"
        "except EngineUnavailable as error: print(error)\n"
    )
    with listening(sockets / "docker.sock") as path:
        path.chmod(0o600)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code),
            stdout=asyncio.subprocess.PIPE,
            env={"DOCKER_HOST": f"unix://{path}", "HOME": str(sockets)},
            cwd=Path(__file__).parent.parent.parent,
        )
        output, _ = await process.communicate()
    assert b"permission denied. Join the group docker" in output

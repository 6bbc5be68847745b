from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from proxy.config.jupyter_settings import JupyterSettings
from proxy.config.password_hash import hash_passphrase
from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import Launched
from proxy.jupyter.leftover_process import end_leftover
from proxy.jupyter.port import default_or_free_port
from proxy.jupyter.port_watch import is_open
from proxy.jupyter.process import ProcessLauncher
from proxy.jupyter.process_command import environment, jupyter_program
from proxy.jupyter.readiness import is_ready, wait_until_ready
from tests.e2e.programs import free_port
from tests.jupyter.visits import contents_status, password_opens, read, request, save

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

Make = Callable[..., ProcessLauncher]
READY_SECONDS = 180.0
STOP_SECONDS = 120.0
"""Long enough for a busy machine; a stop that works takes a second."""


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes launchers, and stops them after the test."""
    made: list[ProcessLauncher] = []
    (tmp_path / "work").mkdir()

    def launcher(
        stop_seconds: float = 10.0, closed_seconds: float = 60.0, **settings: object
    ) -> ProcessLauncher:
        # Not the usual port: who has it may change while a test runs.
        port = {"port": free_port()}
        keys = {"launch": "process", "folder": tmp_path / "work"} | port | settings
        launcher = ProcessLauncher(
            JupyterSettings.model_validate(keys),
            tmp_path / "state",
            stop_seconds=stop_seconds,
            closed_seconds=closed_seconds,
        )
        made.append(launcher)
        return launcher

    yield launcher
    for one in made:
        await one.stop()


async def ready(launcher: ProcessLauncher) -> Launched:
    launched = await launcher.launch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    return launched


def pid_of(launched: Launched) -> int:
    return int(launched.description.split()[1])


async def start_kernel(launched: Launched) -> psutil.Process:
    await request(launched.address, launched.login.token, "POST", "kernels", {})
    found = []
    # Its children alone: what a kernel starts is called like the kernel for a moment. And Jupyter
    # also runs programs of a moment (ps, uname), which may be gone by now.
    for process in psutil.Process(pid_of(launched)).children():
        with suppress(psutil.NoSuchProcess):
            if "ipykernel_launcher" in " ".join(process.cmdline()):
                found.append(process)
    assert len(found) == 1
    return found[0]


async def gone(process: psutil.Process, seconds: float = 60) -> bool:
    """Whether it ends. Where the first process collects no children, as in a container without
    an init, it stays a zombie.
    """
    _, alive = await asyncio.to_thread(psutil.wait_procs, [process], seconds)
    return not alive or process.status() == psutil.STATUS_ZOMBIE


async def test_token_opens_it_and_nothing_else_does(make: Make, tmp_path: Path) -> None:
    port = free_port()
    launched = await ready(make(port=port))
    assert (launched.address.host, launched.address.port) == ("127.0.0.1", port)
    assert launched.login.kind == "token"
    assert await contents_status(launched.address, launched.login.token) == 200
    assert await contents_status(launched.address) == 403
    assert await contents_status(launched.address, "wrong") == 403
    await save(launched.address, launched.login.token, "kept.txt", "kept")
    assert (tmp_path / "work" / "kept.txt").read_text() == "kept"

    process = psutil.Process(pid_of(launched))
    listening = {c.laddr[0] for c in process.net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}, "on loopback alone"
    assert launched.login.token not in " ".join(process.cmdline())
    assert launched.login.token not in "".join(process.environ().values())


async def test_a_work_folder_that_goes_away_and_comes_back(make: Make, tmp_path: Path) -> None:
    launcher = make(stop_seconds=1.0)
    (tmp_path / "work").rmdir()
    with pytest.raises(StartError, match=r"work does not exist.*jupyter\.folder"):
        await launcher.launch()
    (tmp_path / "work").mkdir()
    await launcher.launch()
    (tmp_path / "work").rmdir()
    with pytest.raises(StartError, match="work does not exist"):
        await launcher.relaunch()
    (tmp_path / "work").mkdir()
    await launcher.relaunch()


async def test_password_opens_it(make: Make, tmp_path: Path) -> None:
    password_hash = hash_passphrase("open sesame")
    launched = await ready(make(password=password_hash))
    assert launched.login.kind == "password"
    assert launched.login.token == ""
    assert await password_opens(launched.address, "open sesame")
    assert not await password_opens(launched.address, "open barley")
    assert password_hash not in " ".join(psutil.Process(pid_of(launched)).cmdline())
    configuration = tmp_path / "state" / "jupyter" / "jupyter_server_config.json"
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    assert not (tmp_path / "state" / "token").exists()


async def test_nothing_of_the_users_gets_in_the_way(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {
        "ServerApp": {"ip": "*", "base_url": "/elsewhere/", "token": "", "port_retries": 9},
        "IdentityProvider": {"token": "theirs"},
    }
    config = tmp_path / "config"
    config.mkdir()
    (config / "jupyter_server_config.json").write_text(json.dumps(own))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(config))
    monkeypatch.setenv("JUPYTER_TOKEN", "theirs too")
    (tmp_path / "work" / "random.py").write_text("raise SystemExit('the wrong random')")
    launched = await ready(make())
    assert await contents_status(launched.address, launched.login.token) == 200
    assert await contents_status(launched.address, "theirs") == 403
    assert await contents_status(launched.address) == 403


async def test_stop_ends_it_and_its_kernels(make: Make) -> None:
    launcher = make(stop_seconds=STOP_SECONDS)
    launched = await ready(launcher)
    jupyter, kernel = psutil.Process(pid_of(launched)), await start_kernel(launched)
    ended = asyncio.ensure_future(launcher.wait_for_exit())
    await launcher.stop()
    assert not psutil.pid_exists(jupyter.pid)
    assert await gone(kernel)
    assert (await ended).exit_code in (0, -signal.SIGTERM)
    await launcher.stop()
    assert not await is_ready(launched.address)


async def test_stop_kills_one_that_does_not_react(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    launcher = make(stop_seconds=0.2)
    launched = await ready(launcher)
    kernel = await start_kernel(launched)
    os.kill(pid_of(launched), signal.SIGSTOP)
    os.kill(kernel.pid, signal.SIGSTOP)
    await launcher.stop()
    assert not psutil.pid_exists(pid_of(launched))
    assert await gone(kernel)
    end = await launcher.wait_for_exit()
    assert (end.exit_code, end.reason) == (-signal.SIGKILL, "the process was ended by SIGKILL")
    pid = pid_of(launched)
    assert f"Jupyter did not stop within 0.2 s and was killed (process {pid})." in caplog.messages


async def test_a_fault_is_a_crash(make: Make) -> None:
    launcher = make()
    os.kill(pid_of(await launcher.launch()), signal.SIGSEGV)
    end = await launcher.wait_for_exit()
    assert (end.cause, end.reason) == (ExitCause.CRASHED, "the process was ended by SIGSEGV")


async def test_ended_from_its_own_menu_and_by_a_signal_that_it_handles(make: Make) -> None:
    launcher = make()
    launched = await ready(launcher)
    async with aiohttp.ClientSession() as session:
        address = f"{launched.address}/api/shutdown?token={launched.login.token}"
        assert (await session.post(address)).status == 200
    end = await launcher.wait_for_exit()
    assert (end.cause, end.exit_code) == (ExitCause.SHUT_DOWN, 0)
    now = await launcher.relaunch()
    assert (now.address, now.login) == (launched.address, launched.login)
    assert now.description != launched.description, "another process"
    said = await launcher.last_lines(200)
    assert not any("/api/shutdown" in line for line in said), "what the one before said"
    await wait_until_ready(launcher, now.address, READY_SECONDS)
    os.kill(pid_of(now), signal.SIGTERM)
    end = await launcher.wait_for_exit()
    assert (end.cause, end.reason) == (ExitCause.OUTSIDE, "the process was ended by SIGTERM")


def hanging_at_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python waits for threads at its end; AnyIO's may be in the middle of a save."""
    (folder / "jupyter_server_config.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    )
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))


@pytest.mark.parametrize("seen", [True, False], ids=["seen open", "never seen open"])
async def test_one_that_hangs_while_it_ends_is_killed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, seen: bool
) -> None:
    hanging_at_its_end(tmp_path, monkeypatch)
    launcher = make(closed_seconds=0.5)
    launched = await ready(launcher)
    kernel = await start_kernel(launched)
    if seen:
        ended = asyncio.ensure_future(launcher.wait_for_exit())
    os.kill(pid_of(launched), signal.SIGTERM)
    if not seen:
        async with asyncio.timeout(READY_SECONDS):
            while await is_open(launched.address.host, launched.address.port):
                pass
        ended = asyncio.ensure_future(launcher.wait_for_exit())
    async with asyncio.timeout(READY_SECONDS):
        end = await ended
    assert (end.cause, end.exit_code) == (ExitCause.OUTSIDE, -signal.SIGKILL)
    assert end.reason == ("the process hung while it ended, with its port closed, and was killed")
    assert await gone(kernel)


async def test_relaunch_keeps_port_token_and_work(make: Make) -> None:
    launcher = make()
    launched = await ready(launcher)
    await save(launched.address, launched.login.token, "kept.txt", "kept")
    os.kill(pid_of(launched), signal.SIGKILL)
    end = await launcher.wait_for_exit()
    assert (end.cause, end.reason) == (ExitCause.OUTSIDE, "the process was ended by SIGKILL")
    assert any("is running at" in line for line in end.last_lines)
    await launcher.relaunch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    assert await read(launched.address, launched.login.token, "kept.txt") == "kept"


async def test_a_restarted_labgate_hands_out_the_same_token(make: Make) -> None:
    # One that has hardly begun may not hear that it should end.
    first, second = make(stop_seconds=1.0), make(stop_seconds=1.0)
    token = (await first.launch()).login.token
    await first.stop()
    assert (await second.launch()).login.token == token


async def test_usual_port_or_another(make: Make) -> None:
    first = default_or_free_port()
    with socket.create_server(("127.0.0.1", first)):
        launched = await make(stop_seconds=1.0, port=0).launch()
        assert launched.address.port != first


async def test_a_port_that_is_taken_is_refused(make: Make) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port}.*somebody else.*jupyter\.port"):
            await make(port=port).launch()


async def test_a_crash_at_start_shows_the_log(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jupyter_server_config.py").write_text("raise SystemExit('its last words')")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    launcher = make()
    launched = await launcher.launch()
    with pytest.raises(StartError) as caught:
        await wait_until_ready(launcher, launched.address, READY_SECONDS)
    message = str(caught.value)
    assert "the process exited with status 1" in message
    assert "\n    its last words\n" in message


def test_jupyter_from_path_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A Python that has no JupyterLab beside labgate; the import system can only be told so.
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match=r"-m pip install jupyterlab; .*Docker"):
        jupyter_program()
    (tmp_path / "jupyter").write_text("#!/bin/sh\n")
    (tmp_path / "jupyter").chmod(0o755)
    assert jupyter_program() == [str(tmp_path / "jupyter"), "lab"]


async def killed_labgate(state: Path) -> psutil.Process:
    """The Jupyter of a labgate that was killed."""
    code = (
        "import asyncio, sys, pathlib\n"
        "from proxy.config.jupyter_settings import JupyterSettings\n"
        "from proxy.jupyter.process import ProcessLauncher\n"
        "from proxy.jupyter.readiness import wait_until_ready\n"
        "async def main():\n"
        "    settings = JupyterSettings(port=int(sys.argv[2]))\n"
        "    launcher = ProcessLauncher(settings, pathlib.Path(sys.argv[1]))\n"
        "    launched = await launcher.launch()\n"
        "    await wait_until_ready(launcher, launched.address, 60)\n"
        "    print(launched.description.split()[1], flush=True)\n"
        "    await launcher.wait_for_exit()\n"
        "asyncio.run(main())\n"
    )
    labgate = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(state), str(free_port())),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert labgate.stdout is not None
    jupyter = psutil.Process(int(await labgate.stdout.readline()))
    labgate.kill()
    await labgate.wait()
    return jupyter


async def test_dies_with_a_labgate_that_is_killed(tmp_path: Path) -> None:
    assert await gone(await killed_labgate(tmp_path))


async def test_one_that_hangs_after_its_labgate_was_killed_ends_with_the_next_start(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hanging_at_its_end(tmp_path, monkeypatch)
    jupyter = await killed_labgate(tmp_path / "state")
    assert jupyter.is_running()
    await make(closed_seconds=0.5).launch()
    assert await gone(jupyter)
    said = f"An earlier Jupyter (process {jupyter.pid}) did not end and was killed."
    assert said in caplog.messages


async def test_another_process_with_the_number_of_an_earlier_jupyter_is_left_alone(
    tmp_path: Path,
) -> None:
    own = os.getpid()
    (tmp_path / "jupyter.pid").write_text(f"{own} 1\n")
    await end_leftover(tmp_path, 0.0, 0.0)
    (tmp_path / "jupyter.pid").write_text("not a number\n")
    await end_leftover(tmp_path, 0.0, 0.0)


def test_environment_leaves_out_what_is_labgates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABGATE_JUPYTER__PASSWORD", "sha1:…")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    monkeypatch.setenv("EDITOR", "ed")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/theirs")
    inherited = environment(tmp_path)
    assert "LABGATE_JUPYTER__PASSWORD" not in inherited
    assert "NOTIFY_SOCKET" not in inherited
    assert "PYTHONMALLOC" not in inherited
    assert inherited["EDITOR"] == "ed"
    assert inherited["JUPYTER_CONFIG_PATH"] == f"{tmp_path}:/theirs"


async def test_a_stop_that_is_not_waited_for_leaves_nothing_behind(make: Make) -> None:
    launcher = make(stop_seconds=600.0)
    launched = await ready(launcher)
    pid = int(launched.stopped_with_labgate.split()[-1])
    process = psutil.Process(pid)
    process.suspend()  # it does not hear that it should end
    stopping = asyncio.ensure_future(launcher.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await stopping
    try:
        async with asyncio.timeout(30):
            assert await launcher._running.wait() == -signal.SIGKILL
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()

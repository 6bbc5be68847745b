"""What happens while a worker starts; tests/e2e/test_workers.py tests everything else of it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import cast

import pytest

from proxy.config.settings import Settings
from proxy.net.ports import Ports
from proxy.runtime.tasks import spawn
from proxy.workers.restarts import keep_running
from proxy.workers.supervisor import Supervisor
from proxy.workers.worker_process import WorkerProcess

ADDRESS = "192.0.2.7"


async def test_a_login_that_fails_while_a_worker_starts_counts_there_too() -> None:
    settings = {"listen": {"tls": False}, "access": {"login_failures": 1}}
    supervisor = Supervisor(Settings.model_validate(settings), access_log=False)
    starting = spawn(supervisor._group.start([Ports([], [])]), "worker")
    await asyncio.sleep(0)
    failure = {"address": ADDRESS, "account": "text:", "secret": "text:", "at": monotonic()}
    supervisor._on_update(cast(WorkerProcess, None), {"login": failure})
    (worker,) = await starting
    await worker.ready.wait()
    assert list((await worker.report()).locked_out) == [ADDRESS]
    await supervisor.stop()


async def test_a_worker_without_the_configuration_of_the_others_is_replaced(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It was told to put into force what it has not loaded; its successor starts with that."""
    supervisor = Supervisor(Settings.model_validate({"listen": {"tls": False}}), access_log=False)
    group = supervisor._group
    (worker,) = await group.start([Ports([], [])])
    await worker.ready.wait()
    started: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()

    async def launch(index: int) -> WorkerProcess:
        started.set_result(await group._launch(index))
        return started.result()

    running = keep_running(0, worker, launch, group._wait_for_exit, group._vacancies)
    keeping = spawn(running, "worker")
    try:
        worker.send({"apply": 7})
        async with asyncio.timeout(20):
            successor = await started
            await successor.ready.wait()
            assert successor.serves
            assert await worker.wait_for_exit() == "exit code 0"
    finally:
        keeping.cancel()
        await supervisor.stop()
    assert "ERROR the configuration cannot be put into force here" in capfd.readouterr().err

"""What happens while a worker starts; tests/e2e/test_workers.py tests everything else of it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import cast

from proxy.config.settings import Settings
from proxy.net.ports import Ports
from proxy.runtime.tasks import spawn
from proxy.workers.supervisor import Supervisor
from proxy.workers.worker_process import WorkerProcess

ADDRESS = "192.0.2.7"


async def test_a_login_that_fails_while_a_worker_starts_counts_there_too() -> None:
    settings = {"listen": {"tls": False}, "access": {"login_failures": 1}}
    supervisor = Supervisor(Settings.model_validate(settings), access_log=False)
    supervisor._ports = [Ports([], [])]
    starting = spawn(supervisor._launch(0), "worker")
    await asyncio.sleep(0)
    failure = {"address": ADDRESS, "account": "text:", "secret": "text:", "at": monotonic()}
    supervisor._on_update(cast(WorkerProcess, None), {"login": failure})
    worker = await starting
    await worker.ready.wait()
    assert list((await worker.report()).locked_out) == [ADDRESS]
    await supervisor.stop()

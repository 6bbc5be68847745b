"""A fault of the capture in one worker is told by the supervisor's inspector."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from typing import Any, cast

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.inspector.recorder import CaptureOptions
from proxy.workers.channel import Channel
from proxy.workers.supervisor import Supervisor
from proxy.workers.worker import _Worker
from proxy.workers.worker_process import WorkerProcess

SETTINGS = {"upstream": {"url": "http://127.0.0.1:8888"}, "listen": {"tls": False, "workers": 2}}
FAULT = "The capture has ended with a fault (ValueError)."


async def test_it_is_told_with_the_process() -> None:
    settings = Settings.model_validate(SETTINGS)
    supervisor = Supervisor(settings, access_log=False)
    app = Application(settings, access_log=False)
    supervisor.inspector.switch(CaptureOptions())
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        channel = await Channel.open(theirs)
        worker = WorkerProcess(process, await Channel.open(ours), supervisor._on_update)
        _Worker(app, channel, *3 * (cast(Any, None),))._handle({"inspect": {"content": False}})
        told = asyncio.Event()
        supervisor.inspector.listen(told.set)
        app.inspector.failed(FAULT)
        async with asyncio.timeout(10):
            await told.wait()
        channel.close()
    await worker.wait_for_exit()
    assert supervisor.inspector.fault == f"Worker process {process.pid}: {FAULT}"
    assert supervisor.inspector.options is not None, "the others go on"

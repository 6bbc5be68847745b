"""A fault of the capture in one worker is told by the supervisor's inspector."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
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


async def told_by_a_worker() -> dict[str, Any]:
    """What a worker sends when its capture has a fault."""
    ours, theirs = socket.socketpair()
    channel, supervisor = await Channel.open(theirs), await Channel.open(ours)
    app = Application(Settings.model_validate(SETTINGS), access_log=False)
    worker = _Worker(app, channel, *3 * (cast(Any, None),))
    worker._handle({"inspect": {"content": False}})
    app.inspector.failed(FAULT)
    async with asyncio.timeout(30):
        message = await supervisor.receive()
    assert message is not None
    for end in (channel, supervisor):
        end.close()
        await end.flush()
    return message


async def test_it_is_told_with_the_process() -> None:
    message = await told_by_a_worker()
    assert message == {"fault": FAULT}
    supervisor = Supervisor(Settings.model_validate(SETTINGS), access_log=False)
    supervisor.inspector.switch(CaptureOptions())
    supervisor._on_update(cast(WorkerProcess, SimpleNamespace(pid=7)), message)
    assert supervisor.inspector.fault == f"Worker process 7: {FAULT}"
    assert supervisor.inspector.options is not None, "the others go on"

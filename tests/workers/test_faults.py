"""Faults of one worker: the supervisor tells that of the capture, and a deaf worker ends."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from typing import Any, cast

import pytest

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.hub import worker as hub_worker
from proxy.hub.options import Endpoint, HubOptions
from proxy.inspector.recorder import CaptureOptions
from proxy.net.ports import Ports
from proxy.workers.channel import Channel
from proxy.workers.supervisor import Supervisor
from proxy.workers.worker import _Worker
from proxy.workers.worker_process import WorkerProcess
from tests.inspector.exchanges import exchange

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


async def test_what_was_open_in_it_ends_with_it() -> None:
    supervisor = Supervisor(Settings.model_validate(SETTINGS), access_log=False)
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["/bin/cat"], stdin=theirs.fileno()) as process:
        worker = WorkerProcess(process, await Channel.open(ours), supervisor._on_update)
        supervisor._workers.add(worker)
        channel = await Channel.open(theirs)
        channel.send({"exchanges": [exchange(number=1, open=True).details()]})
        await channel.flush()
        process.kill()
        channel.close()
        await supervisor._wait_for_exit(worker)
    (ended,) = supervisor.inspector.ring
    assert (ended.open, ended.outcome) == (False, "its worker process ended")


@pytest.mark.parametrize("of_a_hub", [False, True])
async def test_a_worker_that_understands_nothing_more_ends(of_a_hub: bool) -> None:
    ours, theirs = socket.socketpair()
    channel = await Channel.open(ours)
    worker: _Worker | hub_worker._Worker
    if of_a_hub:
        here = Endpoint(("127.0.0.1",), 0)
        options = HubOptions(public=here, api=here)
        worker = hub_worker._Worker(options, Ports([], []), channel)
    else:
        app = Application(Settings.model_validate(SETTINGS), access_log=False)
        worker = _Worker(app, channel, *3 * (cast(Any, None),))
    with theirs:
        theirs.sendall(b"no JSON\n")
        with pytest.raises(ValueError, match="Expecting value"):
            await worker._receive()
    assert worker._stop.is_set()
    channel.close()

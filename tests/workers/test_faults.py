"""Faults of one worker: what the supervisor tells of them, and which of them end it."""

from __future__ import annotations

import asyncio
import logging
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
from proxy.runtime.tasks import spawn
from proxy.workers.channel import Channel
from proxy.workers.supervisor import Supervisor
from proxy.workers.supervisor_messages import SupervisorMessages
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
        asked = {"inspect": {"content": False}}
        await _Worker(app, channel, *3 * (cast(Any, None),))._messages.take(asked)
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
        supervisor._group.add(worker)
        channel = await Channel.open(theirs)
        channel.send({"exchanges": [exchange(number=1, open=True).details()]})
        await channel.flush()
        process.kill()
        channel.close()
        await supervisor._group._wait_for_exit(worker)
    (ended,) = supervisor.inspector.ring
    assert (ended.open, ended.outcome) == (False, "its worker process ended")


def worker_at(channel: Channel, *, of_a_hub: bool) -> SupervisorMessages:
    """What a worker with this channel does with the messages of its supervisor."""
    if of_a_hub:
        here = Endpoint(("127.0.0.1",), 0)
        options = HubOptions(public=here, api=here)
        return hub_worker._Worker(options, Ports([], []), channel)._messages
    app = Application(Settings.model_validate(SETTINGS), access_log=False)
    return _Worker(app, channel, *3 * (cast(Any, None),))._messages


@pytest.mark.parametrize("of_a_hub", [False, True])
async def test_a_message_that_cannot_be_used_ends_no_worker(
    of_a_hub: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """All workers may have got it, and would all end at once."""
    ours, theirs = socket.socketpair()
    messages = worker_at(await Channel.open(ours), of_a_hub=of_a_hub)
    supervisor = await Channel.open(theirs)
    receiving = spawn(messages.receive(), "supervisor")
    supervisor.send({"inspect": "what is that?"})
    supervisor.send({"report": True})
    async with asyncio.timeout(10):
        answer = await supervisor.receive()
    assert answer is not None
    assert "report" in answer
    assert not messages.stop.is_set()
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    supervisor.close()
    await receiving
    assert messages.stop.is_set()


@pytest.mark.parametrize("of_a_hub", [False, True])
async def test_a_worker_that_understands_nothing_more_ends(of_a_hub: bool) -> None:
    """Its successor does not wait for its open requests."""
    ours, theirs = socket.socketpair()
    channel = await Channel.open(ours)
    messages = worker_at(channel, of_a_hub=of_a_hub)
    with theirs:
        theirs.sendall(b"no JSON\n")
        await messages.receive()
        await channel.flush()
        assert theirs.recv(1000) == b'{"draining": true}\n'
    assert messages.stop.is_set()
    channel.close()

"""A worker as the supervisor sees it; tests/e2e/test_workers.py has the rest."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess

import pytest

from proxy.workers.channel import Channel, Message
from proxy.workers.worker_process import WorkerProcess


async def test_a_message_that_cannot_be_used_costs_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As what a fault of the inspector has captured: the worker's end must be noticed."""

    def on_update(_worker: WorkerProcess, _message: Message) -> None:
        raise ValueError("what is that?")

    ours, theirs = socket.socketpair()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        worker = WorkerProcess(process, await Channel.open(ours), on_update)
        channel = await Channel.open(theirs)
        channel.send({"exchanges": []})
        channel.send({"ready": True})
        async with asyncio.timeout(10):
            await worker.ready.wait()
        assert worker.serves
        channel.close()
    assert await worker.wait_for_exit() == "exit code 0"
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)

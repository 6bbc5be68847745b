"""A worker as the supervisor sees it; tests/e2e/test_workers.py has the rest."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess

import psutil
import pytest

from proxy import __version__
from proxy.runtime.tasks import spawn
from proxy.workers.channel import Channel, WorkerMessage, WorkerReload
from proxy.workers.worker_process import WorkerProcess


async def test_a_message_that_cannot_be_used_costs_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As what a fault of the inspector has captured: the worker's end must be noticed."""

    def on_update(_worker: WorkerProcess, _message: WorkerMessage) -> None:
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


@pytest.mark.parametrize("version", [__version__, "99.9"])
async def test_a_worker_of_a_version_that_was_installed_meanwhile(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        worker = WorkerProcess(process, await Channel.open(ours), lambda _worker, _message: None)
        channel = await Channel.open(theirs)
        channel.send({"version": version})
        channel.close()
    await worker.wait_for_exit()
    said = (
        f"worker process {process.pid} is labgate 99.9, which was installed while labgate "
        f"{__version__} runs here, and may not understand it: `labgate upgrade` replaces all "
        "processes, and no request is lost"
    )
    assert caplog.messages == ([said] if version == "99.9" else [])


async def test_a_late_answer_is_none_to_the_next_reload() -> None:
    """The first one has not waited for it; the second must hear the refusal of its own."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        worker = WorkerProcess(process, await Channel.open(ours), lambda *_: None)
        channel = await Channel.open(theirs)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await worker.prepare(WorkerReload(1, {}, False, "", []))
        preparing = spawn(worker.prepare(WorkerReload(2, {}, False, "", [])), "second reload")
        asked = [await channel.receive() for _ in range(2)]
        channel.send({"prepared": {"number": 1, "refusal": ""}})
        channel.send({"prepared": {"number": 2, "refusal": "no such file"}})
        async with asyncio.timeout(10):
            assert await preparing == "no such file"
        channel.close()
    await worker.wait_for_exit()
    assert [message and message["prepare"]["number"] for message in asked] == [1, 2]


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_worker_that_cannot_be_understood_is_ended(
    caplog: pytest.LogCaptureFixture, hangs: bool
) -> None:
    """It would serve on, and nobody could reload, stop or replace it."""
    ours, theirs = socket.socketpair()
    # A worker ends when its supervisor closes the channel; this one does not if it hangs.
    program = ["/bin/sleep", "60"] if hangs else ["/bin/cat"]
    with theirs, subprocess.Popen(program, stdin=theirs.fileno()) as process:
        try:
            channel = await Channel.open(ours)
            worker = WorkerProcess(process, channel, lambda *_: None, 0.05 if hangs else 10)
            theirs.sendall(b"no JSON\n")
            async with asyncio.timeout(10):
                how = await worker.wait_for_exit()
        finally:
            process.kill()
    assert worker.ready.is_set()
    assert worker.draining.is_set()
    assert how == ("SIGKILL" if hangs else "exit code 0")
    assert len(caplog.records) == (2 if hangs else 1)


async def test_a_worker_does_not_inherit_what_is_not_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Hub's token is the API's, which workers do not serve."""
    for name in ("NOTIFY_SOCKET", "CONFIGPROXY_AUTH_TOKEN", "CONFIGPROXY_SSL_KEY_PASSPHRASE"):
        monkeypatch.setenv(name, "/secret")
    worker = await WorkerProcess.start([], lambda _worker, _message: None, "proxy.hub.worker")
    try:
        assert "/secret" not in psutil.Process(worker.pid).environ().values()
    finally:
        worker.kill()
        await worker.wait_for_exit()

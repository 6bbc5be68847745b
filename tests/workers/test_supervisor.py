"""What happens while a worker starts or is told; tests/e2e/test_workers.py tests the rest of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic, time
from typing import Any, cast

import pytest

from proxy.access.htpasswd import Htpasswd
from proxy.access.revoked_sessions import Revocation, RevokedFile
from proxy.access.session import Sessions, session_key
from proxy.config.settings import Settings
from proxy.net.ports import Ports
from proxy.runtime.tasks import spawn
from proxy.workers.restarts import keep_running
from proxy.workers.supervisor import Supervisor
from proxy.workers.worker_process import WorkerProcess
from tests.e2e.programs import free_port
from tests.passwords import write_htpasswd
from tests.upstreams import OK, Visit, upstream

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


async def ok(visit: Visit) -> None:
    """Answers every request of a connection."""
    while await visit.head():
        await visit.say(OK)


async def test_a_reload_that_asks_for_a_password_tells_workers_who_has_logged_out(
    tmp_path: Path,
) -> None:
    """They started without passwords, and so without the logouts that were stored before."""
    users, folder, port = write_htpasswd(tmp_path), tmp_path / "state", free_port()

    def settings(**sections: dict[str, Any]) -> Settings:
        listen = {"bind": "127.0.0.1", "http_port": port, "tls": False}
        state = {"folder": str(folder)}
        return Settings.model_validate({"listen": listen, "state": state, **sections})

    sessions, known, now = Sessions(session_key(folder)), Htpasswd(users).users, time()

    def cookie() -> bytes:
        return sessions.issue("ada", known["ada"], now)[1].partition(b";")[0]

    async def status(cookie: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = (b"GET / HTTP/1.1", b"Host: localhost:8443", b"Connection: close")
        writer.write(b"\r\n".join((*lines, b"Cookie: " + cookie, b"", b"")))
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    ended, lives = cookie(), cookie()
    session = sessions.find([ended], known, now)
    assert session is not None
    await RevokedFile(folder).save(Revocation("ada", session.name, int(now)))
    supervisor = Supervisor(settings(), access_log=False)
    async with asyncio.timeout(60), upstream(ok) as jupyter:
        await supervisor.start()
        try:
            supervisor.connect_to(jupyter.address)
            assert [await status(ended), await status(lives)] == [200, 200]
            asking = settings(access={"htpasswd": str(users)})
            (await supervisor.prepare(asking, access_log=False))()
            # The worker hears this after the reload.
            await supervisor.reports()
            assert [await status(ended), await status(lives)] == [401, 200]
        finally:
            await supervisor.stop()

"""An application as a whole: its timeouts, and how it stops."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.app import Application
from proxy.builders import bind_ports
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.inspector.recorder import CaptureOptions
from proxy.web.in_process import SHUTDOWN_SECONDS
from tests.e2e.programs import free_port
from tests.upstreams import OK, Visit, upstream

DRAIN_SECONDS = 3600.0
PATIENCE_SECONDS = 60.0


async def test_a_drain_does_not_wait_for_content_that_does_not_come() -> None:
    asked = asyncio.Event()

    async def waits(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await visit.reader.read()

    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False, "drain_seconds": DRAIN_SECONDS}
    limits = {"content_grace_seconds": 1.0}
    settings = Settings.model_validate({"listen": listen, "limits": limits})
    labgate = Application(settings, access_log=False, renew=False)
    await labgate.start()
    async with upstream(waits) as jupyter:
        labgate.connect_to(jupyter.address)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        host = settings.origins[0].authority
        writer.write(f"PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n".encode())
        await asked.wait()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await labgate.stop()
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_the_own_application_stops_after_what_is_forwarded_to_it() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answers_late(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await may_answer.wait()
        await visit.say(b'HTTP/1.0 200 OK\r\n\r\n{"version": "2"}')

    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False, "drain_seconds": DRAIN_SECONDS}
    labgate = Application(
        Settings.model_validate({"listen": listen}), access_log=False, renew=False
    )
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS), upstream(answers_late) as jupyter:
        labgate.connect_to(jupyter.address)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /.labgate/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        await asked.wait()
        stopping = asyncio.ensure_future(labgate.stop())
        # Stopped first, the application would have cut its connections by now.
        await asyncio.sleep(2 * SHUTDOWN_SECONDS)
        may_answer.set()
        await stopping
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\nready\n")
        writer.close()


async def test_a_path_of_labgates_own_that_is_not_answered_in_time_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A challenge that cannot be read, as on a disk that is away. It is no outage of Jupyter."""
    folder = tmp_path / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "token")
    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False}
    settings = Settings.model_validate({"listen": listen, "acme": {"webroot": tmp_path}})
    labgate = Application(settings, access_log=False, renew=False)
    await labgate.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 500 ")
            writer.close()
        (line,) = caplog.messages
        assert line.startswith("GET /.well-known/acme-challenge/token from 127.0.0.1 [")
        assert line.endswith("]: no response within 10 s")
    finally:
        # Whoever waits for a writer reads its end.
        os.close(os.open(folder / "token", os.O_WRONLY | os.O_NONBLOCK))
        await labgate.stop()


async def test_labgates_own_application_has_the_limits_of_the_configuration() -> None:
    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False}
    settings = Settings.model_validate({"listen": listen, "limits": {"fields": 400}})
    labgate = Application(settings, access_log=False, renew=False)
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        cookies = b"Cookie: a=b\r\n" * 398
        writer.write(b"GET /.labgate/health HTTP/1.1\r\nHost: a\r\n" + cookies + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await labgate.stop()


@pytest.mark.parametrize(
    ("server", "rules"),
    [
        ("labgate", {"request-line": 2, "tls": 1}),
        ("aiohttp", {"BadHttpMethod": 2, "InvalidURLError": 1}),
    ],
)
async def test_what_is_refused_without_a_head_is_counted(
    server: str, rules: dict[str, int]
) -> None:
    """No route gets it, and no record is made of it, but whoever is scanned wants to see it."""
    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False, "server": server}
    labgate = Application(
        Settings.model_validate({"listen": listen}), access_log=False, renew=False
    )
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for octets in (
            b"G@T / HTTP/1.1\r\n\r\n",
            b"GET /\0 HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(octets)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            writer.close()
        counts, _ = await labgate.measured()
        assert counts.refusals == rules
        assert counts.requests == {"refused 4xx": 3}
        await labgate.stop()


async def ok(visit: Visit) -> None:
    """Answers every request of a connection."""
    while await visit.head():
        await visit.say(OK)


async def test_another_configuration_holds_from_the_next_request_on() -> None:
    """For a connection that was open before, too; lockouts outlast the change."""
    port = free_port()
    listen = {"bind": "127.0.0.1", "http_port": port, "tls": False}

    def settings(**sections: dict[str, Any]) -> Settings:
        return Settings.model_validate({"listen": listen, **sections})

    async def status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(head.split()[1])

    labgate = Application(settings(), access_log=False, renew=False)
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS), upstream(ok) as jupyter:
        labgate.connect_to(jupyter.address)
        connection = await asyncio.open_connection("127.0.0.1", port)
        assert await status(*connection) == 200

        apply = await labgate.prepare(settings(access={"allow": "10.0.0.0/8"}), access_log=False)
        assert await status(*connection) == 200, "only prepared"
        apply()
        assert await status(*connection) == 403
        connection[1].close()

        (await labgate.prepare(settings(limits={"connections": 1}), access_log=False))()
        connection = await asyncio.open_connection("127.0.0.1", port)
        assert await status(*connection) == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

        observed = settings(inspector={"enabled": True})
        (await labgate.prepare(observed, access_log=False))()
        captured = [labgate.inspector.options]
        labgate.inspector.switch(None)
        (await labgate.prepare(observed, access_log=False))()
        captured.append(labgate.inspector.options)
        assert captured == [CaptureOptions(), None], "somebody switched it off by hand"

        with pytest.raises(StartError, match="/none"):
            await labgate.prepare(settings(access={"htpasswd": "/none"}), access_log=False)
        assert await status(*connection) == 200
        connection[1].close()
        await labgate.stop()


@pytest.mark.parametrize("how", ["handed over", "stopped"])
async def test_a_request_on_its_way_is_answered_where_others_accept(how: str) -> None:
    """Its client cannot know that this process takes no more; a closed connection would lose it."""
    with socket.create_server(("127.0.0.1", 0)) as shared:
        port = shared.getsockname()[1]
        settings = Settings.model_validate({"listen": {"bind": "127.0.0.1", "tls": False}})
        labgate = Application(settings, access_log=False, renew=False)
        await labgate.start(bind_ports(settings, [("http", shared.dup())]))
        async with asyncio.timeout(PATIENCE_SECONDS), upstream(ok) as jupyter:
            labgate.connect_to(jupyter.address)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            stopping = None
            if how == "handed over":
                labgate.leave_to_others()
            else:
                stopping = asyncio.ensure_future(labgate.stop())
                await asyncio.sleep(0)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
            rest = await reader.read()
            assert b"HTTP/1.1 200 " in rest
            assert b"\r\nConnection: close\r\n" in rest
            writer.close()
            await (stopping or labgate.stop())
        shared.setblocking(False)
        with socket.create_connection(("127.0.0.1", port)):
            shared.accept()[0].close()

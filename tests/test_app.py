"""An application as a whole: how it stops."""

from __future__ import annotations

import asyncio

from proxy.app import Application
from proxy.config.settings import Settings
from tests.e2e.programs import free_port
from tests.upstreams import Visit, upstream

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

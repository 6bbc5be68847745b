"""Whose session is over stays out, whatever the disk does and however often labgate reloads."""

from __future__ import annotations

import asyncio
import base64
import re
import resource
from pathlib import Path

import pytest

from proxy.access.revoked_sessions import FILE_NAME, Revocation, RevokedFile
from proxy.app import Application
from proxy.config.settings import Settings
from tests.e2e.programs import free_port
from tests.hub.running import limited
from tests.passwords import write_htpasswd
from tests.upstreams import OK, Visit, upstream

PATIENCE_SECONDS = 60.0
PASSWORD = b"Authorization: Basic " + base64.b64encode(b"ada:sesame")


async def ok(visit: Visit) -> None:
    """Answers every request of a connection."""
    while await visit.head():
        await visit.say(OK)


class Browser:
    """Asks a labgate on this port, over a new connection each time."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, line: bytes, *fields: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = (line + b" HTTP/1.1", b"Host: lab.localhost", b"Connection: close", *fields)
        writer.write(b"\r\n".join((*lines, b"", b"")))
        answer = await reader.read()
        writer.close()
        return answer

    async def status(self, cookie: bytes) -> int:
        return int((await self.ask(b"GET /", cookie)).split()[1])

    async def log_in(self) -> bytes:
        """The field that carries the session."""
        found = re.search(rb"\r\nSet-Cookie: (__Host-[^;]+);", await self.ask(b"GET /", PASSWORD))
        assert found
        return b"Cookie: " + found[1]

    async def log_out(self, cookie: bytes) -> None:
        origin = b"Origin: https://lab.localhost"
        length = b"Content-Length: 0"
        answer = await self.ask(b"POST /.labgate/logout", origin, cookie, length)
        assert answer.startswith(b"HTTP/1.1 401 ")


def settings(folder: Path, port: int, *, asks: bool = True) -> Settings:
    access = {"htpasswd": str(write_htpasswd(folder))} if asks else {}
    return Settings.model_validate(
        {
            "site": {"domains": "lab.localhost:443"},
            "listen": {"bind": "127.0.0.1", "http_port": port, "tls": False},
            "state": {"folder": str(folder / "state")},
            "access": access,
        }
    )


@pytest.mark.parametrize("between", ["with the password", "without the password"])
async def test_a_logout_that_could_not_be_stored_outlasts_a_reload(
    between: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log promises it until labgate is started again."""
    browser = Browser(port := free_port())
    asking = settings(tmp_path, port)
    labgate = Application(asking, access_log=False, renew=False)
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS), upstream(ok) as jupyter:
        labgate.connect_to(jupyter.address)
        mine, another = await browser.log_in(), await browser.log_in()
        # As on a full disk.
        with limited(resource.RLIMIT_FSIZE, 1):
            await browser.log_out(mine)
        assert "logged out until labgate is started again" in caplog.text
        assert not (tmp_path / "state" / FILE_NAME).exists()
        assert [await browser.status(one) for one in (mine, another)] == [401, 200]

        if between == "without the password":
            open_to_all = settings(tmp_path, port, asks=False)
            (await labgate.prepare(open_to_all, access_log=False))()
            assert await browser.status(mine) == 200
        (await labgate.prepare(asking, access_log=False))()
        assert [await browser.status(one) for one in (mine, another)] == [401, 200]
        # The next one that can be stored takes the first with it.
        await browser.log_out(another)
        assert (tmp_path / "state" / FILE_NAME).read_bytes().count(b'"ada"') == 2
        await labgate.stop()


async def test_a_reload_hears_of_the_logouts_at_another_labgate(tmp_path: Path) -> None:
    """It has the same state folder, and so the same key."""
    browser = Browser(port := free_port())
    asking = settings(tmp_path, port)
    labgate = Application(asking, access_log=False, renew=False)
    await labgate.start()
    async with asyncio.timeout(PATIENCE_SECONDS), upstream(ok) as jupyter:
        labgate.connect_to(jupyter.address)
        mine = await browser.log_in()
        name = mine.split(b".")[2].decode()
        issued = int(mine.split(b".")[1])
        await RevokedFile(tmp_path / "state").save(Revocation("ada", name, issued))
        (await labgate.prepare(asking, access_log=False))()
        assert await browser.status(mine) == 401
        await labgate.stop()

"""JupyterLab in Firefox: Debian's firefox-esr, spoken to in WebDriver BiDi.

Run by name, because a browser more would take CI its time: ``make test-firefox``.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import require
from tests.e2e.conftest import SHOTS
from tests.e2e.programs import TOKEN, Jupyter, Labgate, until

PATIENCE_SECONDS = 120
KERNELS = "fetch('/api/kernels').then(found => found.json())"
OPEN = """
all => new Promise(resolve => {
    const socket = new WebSocket(`wss://${location.host}/api/kernels/${all[0].id}/channels`);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("failed");
})
"""


class Firefox:
    """One tab (https://w3c.github.io/webdriver-bidi/)."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._tab = ""

    async def begin(self) -> None:
        """Take the tab that is open; the development CA is nobody's whom Firefox knows."""
        capabilities = {"alwaysMatch": {"acceptInsecureCerts": True}}
        await self.command("session.new", capabilities=capabilities)
        tree = await self.command("browsingContext.getTree")
        self._tab = tree["contexts"][0]["context"]

    async def open(self, url: str) -> None:
        await self.command("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        target = {"context": self._tab}
        answer = await self.command(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Ask until it is true."""
        while not await self.evaluate(f"Promise.resolve({expression}).then(Boolean)"):  # noqa: ASYNC110  in a browser
            await asyncio.sleep(0.2)

    async def shoot(self, name: str) -> None:
        """A picture for people, in the folder git ignores."""
        picture = await self.command("browsingContext.captureScreenshot", context=self._tab)
        SHOTS.mkdir(exist_ok=True)
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    program = shutil.which("firefox-esr")
    require(program, "no firefox-esr", "apt-get install firefox-esr")
    profile = folder / "firefox"
    profile.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(str(program), "--headless", "--remote-debugging-port", "0"),
        *("--profile", str(profile), "--no-remote", "about:blank"),
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        while (line := await process.stderr.readline()) and b"BiDi listening" not in line:
            pass
        found = re.search(r"ws://\S+", line.decode())
        assert found is not None, "Firefox has ended"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{found[0]}/session", max_msg_size=0) as socket,
        ):
            browser = Firefox(socket)
            await browser.begin()
            yield browser
    finally:
        process.kill()
        await process.wait()


@pytest.mark.firefox
@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
@pytest.mark.parametrize(("http2", "protocol"), [("true", "h2"), ("false", "http/1.1")])
async def test_lab_in_firefox(http2: str, protocol: str, tmp_path: Path) -> None:
    """Requests over HTTP/2 where it is on, the kernel's WebSockets over HTTP/1.1."""
    jupyter = Jupyter(tmp_path)
    environment = {"LABGATE_LISTEN__HTTP2": http2}
    labgate = Labgate(tmp_path, "serve", "--upstream", jupyter.upstream, environment=environment)
    await asyncio.to_thread(jupyter.start)
    try:
        await asyncio.to_thread(labgate.start)
        async with asyncio.timeout(PATIENCE_SECONDS), firefox(tmp_path) as browser:
            await browser.open(f"{labgate.origin}/lab?token={TOKEN}")
            card = "document.querySelector('.jp-LauncherCard[data-category=Notebook]')"
            await browser.until(card)
            await browser.evaluate(f"{card}.click()")
            await browser.until("document.querySelector('.jp-Notebook .jp-Cell')")
            await browser.until(f"{KERNELS}.then(all => all[0]?.execution_state === 'idle')")
            await browser.shoot(f"firefox-{protocol.replace('/', '-')}")
            opened = await browser.evaluate(f"{KERNELS}.then({OPEN})")
            assert opened == "open"
            spoken = await browser.evaluate(
                "[...new Set(performance.getEntriesByType('resource')"
                ".map(one => one.nextHopProtocol).filter(one => one))].join()"
            )
            assert spoken == protocol
        tunnel = re.compile(r'/api/kernels/\S+/channels\S*" 101 ')
        await asyncio.to_thread(until, lambda: tunnel.search(labgate.log), "no WebSocket ended")
        assert " ERROR " not in labgate.log
    finally:
        labgate.kill()
        jupyter.kill()

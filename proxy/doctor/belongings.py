"""What the doctor makes in Jupyter to try things, and removes again whatever happens.

Tested by tests/doctor/test_interrupted.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from proxy.runtime.tasks import spawn

from .answer import Answer
from .browser import Browser
from .kernel_channel import ChannelEnded, open_channel

APPEAR_SECONDS = 5.0
"""How long to look for a kernel whose creation was not answered."""


class Belongings:
    """One kernel with its session, one terminal and one file, each with a name of this run.

    Attributes:
        label: The name, which nobody else uses.
        kernel: The kernel's id; empty if there is none.
    """

    def __init__(self, browser: Browser) -> None:
        self.label = f"labgate-doctor-{secrets.token_hex(4)}"
        self.terminal = self.label.replace("-", "_")  # terminals have names of letters only
        self.file = f"{self.label}.txt"
        self.kernel = ""
        self._session = ""
        self._browser = browser
        self._may_exist: dict[str, bool] = {"session": False, "terminal": False, "file": False}
        self._creating: asyncio.Task[Answer] | None = None

    async def create(self, what: str, asked: Coroutine[Any, Any, Answer]) -> Answer:
        """Create one of them. It is not broken off when the doctor is: removing comes after it.

        Args:
            what: ``session``, ``terminal`` or ``file``.
            asked: The request that creates it.
        """
        self._may_exist[what] = True
        self._creating = spawn(asked, name=f"doctor creates {what}")
        return await asyncio.shield(self._creating)

    def adopt_session(self, session: str, kernel: str) -> None:
        """Note what Jupyter calls the session and its kernel."""
        self._session, self.kernel = session, kernel

    async def remove(self) -> list[str]:
        """Remove everything; returns what could not be removed, in words."""
        if self._creating is not None and not self._creating.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(15):
                    await asyncio.wait([self._creating])
        left = []
        if self._may_exist["file"] and not await self._remove_file():
            left.append(f"file {self.file}")
        if self._may_exist["terminal"] and not await self._removed(
            f"/api/terminals/{self.terminal}"
        ):
            left.append(f"terminal {self.terminal}")
        if self._may_exist["session"] and not await self._remove_session():
            left.append(f"kernel of session {self.label}")
        return left

    async def _remove_file(self) -> bool:
        """Jupyter moves what it deletes to the trash, so the kernel removes it if it can."""
        path = f"/api/contents/{self.file}"
        if self.kernel:
            channel = await open_channel(self._browser, self.kernel, self.label)
            if channel is not None:
                code = f"import os\nos.remove({self.file!r})"
                with suppress(ChannelEnded):
                    await channel.ask("execute_request", {"code": code, "silent": True})
                await channel.close()
        if (await self._browser.get(f"{path}?content=0")).status == 404:
            return True
        # At least nothing large stays in the trash.
        await self._browser.call("PUT", path, {"type": "file", "format": "text", "content": ""})
        return await self._removed(path)

    async def _removed(self, path: str) -> bool:
        return (await self._browser.call("DELETE", path)).status in (204, 404)

    async def _remove_session(self) -> bool:
        if self._session:
            return await self._removed(f"/api/sessions/{self._session}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + APPEAR_SECONDS
        while loop.time() < deadline:
            sessions = await self._browser.get("/api/sessions", kept=2**20)
            for session in sessions.json or []:
                if session.get("path") == self.label:
                    return await self._removed(f"/api/sessions/{session['id']}")
            await asyncio.sleep(0.5)
        return True

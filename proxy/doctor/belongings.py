"""What the doctor makes in Jupyter to try things, and removes again whatever happens.

Tested by tests/doctor/test_belongings.py, test_interrupted.py and test_hanging.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from proxy.runtime.tasks import spawn

from .answer import Answer
from .browser import Browser
from .kernel_channel import ChannelEnded, open_channel

APPEAR_SECONDS = 5.0
"""How long to look for a kernel whose creation was not answered."""

REMOVE_SECONDS = 10.0
"""How long removing may take in all: a Jupyter that hangs takes for ever."""

CREATED_SECONDS = 3.0
"""How much of that to wait for an answer to what is being created."""

FILE_SECONDS = 5.0
"""How much of it the file may take. The session is removed after it, because of the kernel."""

KERNEL_SECONDS = 3.0
EMPTIED_SECONDS = 1.0
"""How long two steps of that may take before the next one."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What may have stayed in Jupyter.

    Attributes:
        what: Its kind and its name, for people.
        path: What removes it by DELETE, after base_url; empty if its name there is not known.
    """

    what: str
    path: str


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
        self._creating: dict[str, asyncio.Task[Answer]] = {}

    async def create(self, what: str, asked: Coroutine[Any, Any, Answer]) -> Answer:
        """Create one of them. It is not broken off when the doctor is: removing comes after it.

        Args:
            what: ``session``, ``terminal`` or ``file``.
            asked: The request that creates it.
        """
        self._may_exist[what] = True
        self._creating[what] = spawn(asked, name=f"doctor creates {what}")
        return await asyncio.shield(self._creating[what])

    def adopt_session(self, session: str, kernel: str) -> None:
        """Note what Jupyter calls the session and its kernel."""
        self._session, self.kernel = session, kernel

    @property
    def left(self) -> list[Leftover]:
        """What may be there still, because Jupyter did not say that it is gone."""
        kernel = f"kernel {self.kernel} with its session" if self.kernel else "kernel of session"
        every = {
            "session": Leftover(
                f"{kernel} {self.label}",
                f"/api/sessions/{self._session}" if self._session else "",
            ),
            "terminal": Leftover(f"terminal {self.terminal}", f"/api/terminals/{self.terminal}"),
            "file": Leftover(f"file {self.file}", f"/api/contents/{self.file}"),
        }
        return [every[what] for what, may_exist in self._may_exist.items() if may_exist]

    async def remove(self) -> None:
        """Remove everything, in ``REMOVE_SECONDS`` at most; ``left`` tells what is there still.

        When it is cancelled it ends at once, and none of its requests goes on.
        """
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(REMOVE_SECONDS):
                    await self._remove_all()
        finally:
            if asked := [task for task in self._creating.values() if not task.done()]:
                for task in asked:
                    task.cancel()
                await asyncio.wait(asked)

    async def _remove_all(self) -> None:
        async with asyncio.TaskGroup() as removing:
            removing.create_task(self._gone("terminal", self._remove_terminal))
            removing.create_task(self._remove_file_and_session())

    async def _remove_file_and_session(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CREATED_SECONDS + FILE_SECONDS):
                await self._gone("file", self._remove_file)
        await self._gone("session", self._remove_session)

    async def _gone(self, what: str, remove: Callable[[], Awaitable[bool]]) -> None:
        """Remove one of them if it may exist; not before its creation is answered or given up."""
        if not self._may_exist[what]:
            return
        creating = self._creating[what]
        await asyncio.wait([creating], timeout=CREATED_SECONDS)
        if not creating.done():
            creating.cancel()
            await asyncio.wait([creating])
        self._may_exist[what] = not await remove()

    async def _remove_terminal(self) -> bool:
        return await self._removed(f"/api/terminals/{self.terminal}")

    async def _remove_file(self) -> bool:
        """Jupyter moves what it deletes to the trash, so the kernel removes it if it can."""
        path = f"/api/contents/{self.file}"
        if self.kernel:
            with suppress(TimeoutError):
                async with asyncio.timeout(KERNEL_SECONDS):
                    await self._remove_file_by_kernel()
        if (await self._browser.get(f"{path}?content=0")).status == 404:
            return True
        # At least nothing large stays in the trash.
        empty = {"type": "file", "format": "text", "content": ""}
        with suppress(TimeoutError):
            async with asyncio.timeout(EMPTIED_SECONDS):
                await self._browser.call("PUT", path, empty)
        return await self._removed(path)

    async def _remove_file_by_kernel(self) -> None:
        channel = await open_channel(self._browser, self.kernel, self.label)
        if channel is None:
            return
        try:
            code = f"import os\nos.remove({self.file!r})"
            with suppress(ChannelEnded):
                await channel.ask("execute_request", {"code": code, "silent": True})
        finally:
            await channel.close()

    async def _removed(self, path: str) -> bool:
        return (await self._browser.call("DELETE", path)).status in (204, 404)

    async def _remove_session(self) -> bool:
        if self._session:
            return await self._removed(f"/api/sessions/{self._session}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + APPEAR_SECONDS
        answered = False
        while loop.time() < deadline:
            sessions = (await self._browser.get("/api/sessions", kept=2**20)).json
            answered = isinstance(sessions, list)
            for session in sessions if answered else ():
                if session.get("path") == self.label:
                    self.adopt_session(session["id"], session["kernel"]["id"])
                    return await self._removed(f"/api/sessions/{self._session}")
            await asyncio.sleep(0.5)
        return answered

"""The paths labgate answers itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.rules.decide import NO_CHALLENGE
from proxy.rules.model import Local
from proxy.web.own_paths import OwnPaths


class Jupyter:
    """Says whether it is ready, and counts how often it was asked."""

    def __init__(self, *, ready: bool) -> None:
        self.ready = ready
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.ready


async def answered(own: OwnPaths, decision: Local) -> bytes:
    answer = await own.answer(decision, persistent=True, bodiless=False)
    assert isinstance(answer, bytes)
    return answer


async def test_health_does_not_depend_on_jupyter() -> None:
    own = OwnPaths(Jupyter(ready=False), None)
    assert (await answered(own, Local("health"))).startswith(b"HTTP/1.1 200 ")


async def test_many_waiting_pages_ask_jupyter_once() -> None:
    jupyter = Jupyter(ready=True)
    own = OwnPaths(jupyter, None)
    for _ in range(5):
        assert (await answered(own, Local("ready"))).startswith(b"HTTP/1.1 200 ")
    assert jupyter.asked == 1


class Slow(Jupyter):
    """Answers when it may."""

    def __init__(self, *, ready: bool) -> None:
        super().__init__(ready=ready)
        self.may_answer = asyncio.Event()
        self.was_asked = asyncio.Event()

    async def __call__(self) -> bool:
        self.was_asked.set()
        await self.may_answer.wait()
        return await super().__call__()


async def test_pages_that_wait_for_a_silent_jupyter_wait_for_one_question() -> None:
    """Asked for each in turn, it would take seconds times the number of pages."""
    jupyter = Slow(ready=False)
    own = OwnPaths(jupyter, None, ready_for_seconds=0)  # it took longer to find out
    waiting = [asyncio.ensure_future(answered(own, Local("ready"))) for _ in range(100)]
    await jupyter.was_asked.wait()
    waiting[0].cancel()  # its page was closed
    jupyter.may_answer.set()
    first, *others = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert {str(answer)[2:14] for answer in others} == {"HTTP/1.1 503"}
    assert jupyter.asked == 1


async def test_a_challenge_comes_from_the_webroot(tmp_path: Path) -> None:
    folder = tmp_path / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.thumbprint")
    own = OwnPaths(Jupyter(ready=True), tmp_path)
    assert (await answered(own, Local("challenge", "token"))).endswith(b"\r\n\r\ntoken.thumbprint")
    missing = await own.answer(Local("challenge", "other"), persistent=True, bodiless=False)
    assert missing == NO_CHALLENGE

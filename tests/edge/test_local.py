"""The paths labgate answers itself."""

from __future__ import annotations

from pathlib import Path

from proxy.edge.local import OwnPaths
from proxy.rules.decide import NO_CHALLENGE
from proxy.rules.model import Local


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


async def test_a_challenge_comes_from_the_webroot(tmp_path: Path) -> None:
    folder = tmp_path / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.thumbprint")
    own = OwnPaths(Jupyter(ready=True), tmp_path)
    assert (await answered(own, Local("challenge", "token"))).endswith(b"\r\n\r\ntoken.thumbprint")
    missing = await own.answer(Local("challenge", "other"), persistent=True, bodiless=False)
    assert missing == NO_CHALLENGE

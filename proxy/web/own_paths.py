"""The paths labgate answers itself: health, readiness, certificate challenges, logging out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from proxy.proxying.responses import html, plain, whole
from proxy.rules.decide import NO_CHALLENGE
from proxy.rules.model import Local, Refuse
from proxy.runtime.tasks import spawn
from proxy.web.page import LOGOUT

READY_FOR_SECONDS = 1.0


class OwnPaths:
    """Answers ``rules.Local`` decisions.

    Args:
        ready: Asks Jupyter whether it answers.
        webroot: certbot's folder that holds ``.well-known/acme-challenge/``, or None.
        tokens: Folder with the challenge files of labgate itself, or None.
        ready_for_seconds: How long what Jupyter answered is told to others, too.
    """

    def __init__(
        self,
        ready: Callable[[], Awaitable[bool]],
        webroot: Path | None,
        tokens: Path | None = None,
        *,
        ready_for_seconds: float = READY_FOR_SECONDS,
    ) -> None:
        self._ready = ready
        self._ready_for = ready_for_seconds
        inside = webroot / ".well-known" / "acme-challenge" if webroot is not None else None
        self._folders = [folder for folder in (tokens, inside) if folder is not None]
        self._asking: asyncio.Task[bool] | None = None
        self._known: tuple[float, bool] = (float("-inf"), False)

    async def answer(self, decision: Local, *, persistent: bool, bodiless: bool) -> bytes | Refuse:
        """The whole response, or why there is none."""
        match decision.name:
            case "options":
                status, sentence = 200, "This is as far as Max-Forwards lets it go."
            case "health":
                status, sentence = 200, "serving"
            case "ready":
                ready = await self._is_ready()
                status, sentence = (200, "ready") if ready else (503, "not ready")
            case "logout":
                return html(200, LOGOUT, persistent=persistent, bodiless=bodiless)
            case "challenge":
                content = await asyncio.to_thread(self._challenge, decision.argument)
                if content is None:
                    return NO_CHALLENGE
                kind = b"application/octet-stream"
                ending = () if persistent else ((b"Connection", b"close"),)
                return whole(200, content, kind, ending, bodiless)
        return plain(status, sentence, persistent=persistent, bodiless=bodiless)

    async def _is_ready(self) -> bool:
        """Asked once for all who wait, however long that takes, and seldom after that."""
        if self._asking is None:
            asked_at, ready = self._known
            if asyncio.get_running_loop().time() - asked_at <= self._ready_for:
                return ready
            self._asking = spawn(self._ask(), "jupyter: is it ready")
        # Whoever asked first may go away before the others know.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        try:
            ready = await self._ready()
            self._known = (asyncio.get_running_loop().time(), ready)
            return ready
        finally:
            self._asking = None

    def _challenge(self, token: str) -> bytes | None:
        """A challenge file's content; the token is base64url, so it cannot climb."""
        for folder in self._folders:
            with suppress(OSError), (folder / token).open("rb") as opened:
                return opened.read(4096)
        return None

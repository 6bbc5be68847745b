"""Labgate's own web application as an upstream in this process, and the connections to it.

Tested by tests/test_app.py and tests/web/test_app.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from proxy.access.access_control import AccessControl
from proxy.builders import build_web_app_pool, challenge_folders
from proxy.config.settings import Settings
from proxy.net.limits import Limits
from proxy.rules.head import Field, RequestHead
from proxy.web.in_process import InProcessUpstream

if TYPE_CHECKING:
    from aiohttp import web


class WebAppUpstream:
    """The web application behind the public ports, as an upstream in this process.

    Attributes:
        pool: The connections to it.

    Args:
        settings: The configuration.
        limits: Of the application.
        upstream_answers: Asks whether Jupyter answers.
        access_control: The one in force; None if there is none.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        upstream_answers: Callable[[], Awaitable[bool]],
        access_control: Callable[[], AccessControl | None],
    ) -> None:
        self._challenge_folders = challenge_folders(settings)
        self._upstream_answers, self._access_control = upstream_answers, access_control
        self._in_process = InProcessUpstream(self._make_app, limits)
        self.pool = build_web_app_pool(self._in_process)

    def start_soon(self) -> None:
        """Start in the background, some time after the ports have opened."""
        self._in_process.start_soon()

    def change(self, settings: Settings) -> None:
        """Use another configuration from the next request on."""
        self._challenge_folders[:] = challenge_folders(settings)

    async def stop(self) -> None:
        """Close every connection, and end the application."""
        self.pool.close()
        await self._in_process.stop()

    def _make_app(self) -> web.Application:
        from proxy.web.app import make_app  # noqa: PLC0415  see InProcessUpstream

        return make_app(
            upstream_answers=self._upstream_answers,
            challenge_folders=self._challenge_folders,
            end_sessions=self._end_sessions,
        )

    async def _end_sessions(self, head: RequestHead) -> tuple[Field, ...]:
        access_control = self._access_control()
        return await access_control.log_out(head) if access_control is not None else ()

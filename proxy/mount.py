"""labgate in somebody else's aiohttp application.

The host's server has the ports, the certificates and the connections; everything behind a request's
head is labgate's: the checks, the rewriting, the passwords, the connections to Jupyter.
Tested by tests/test_mount.py, which runs the example of .github/ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from proxy.app import TIMEOUT_CHECK_SECONDS, Application
from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.net.limits import Limits
from proxy.net.ports import Ports
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn
from proxy.web.front.handler import ProxyHandler
from proxy.web.front.server import server_options

__all__ = ["Mount", "server_options"]


class Mount:
    """The whole proxy as the last route of an application: ``Mount(settings).setup(app)``.

    The application's server must be started with ``**server_options()``.

    Args:
        settings: As for ``labgate serve``; the host decides about ``[listen]``, ``[tls]`` and
            ``[acme]``.
        access_log: Whether to log every request.

    Raises:
        UsageError: The settings name no Jupyter, or would let everything through
            (``inspector.observe``).
    """

    def __init__(self, settings: Settings, *, access_log: bool = False) -> None:
        if not settings.upstream.url and not settings.routes:
            message = "upstream.url: name the Jupyter to forward to, as http://127.0.0.1:8888"
            raise UsageError(message)
        if settings.inspector.observe:
            # The host owns the addresses: labgate cannot know whether strangers reach them.
            message = (
                "inspector.observe: an application that labgate is mounted in may be open to "
                "strangers, and nothing would be refused; observe with labgate serve on loopback"
            )
            raise UsageError(message)
        listen = settings.listen.model_copy(update={"tls": False})
        settings = settings.model_copy(update={"listen": listen})
        self._upstream = settings.upstream.address if settings.upstream.url else None
        if self._upstream is not None:
            self._upstream.check()
        self._application = Application(settings, access_log=access_log, renew=False)
        limits = Limits(**settings.limits.model_dump())
        self._front = ProxyHandler(self._application.dispatch, limits)

    def setup(self, app: web.Application) -> None:
        """Route to Jupyter every request that matches no route of ``app`` so far.

        labgate starts and stops with the application.
        """
        app.cleanup_ctx.append(self._run)
        self._front.add_to(app)

    async def _run(self, _app: web.Application) -> AsyncIterator[None]:
        """Run from the application's start to its clean-up.

        At the end requests have ``listen.drain_seconds``, and WebSockets are cut.

        Raises:
            StartError: The htpasswd file is invalid.
        """
        await self._application.start(Ports([], []))
        if self._upstream is not None:
            self._application.connect_to(self._upstream)
        checks = spawn(
            run_periodically([self._front.enforce_timeouts], TIMEOUT_CHECK_SECONDS),
            "timeouts of a mount",
        )
        try:
            yield
        finally:
            checks.cancel()
            await self._application.stop()

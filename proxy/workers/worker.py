"""The worker: an ``Application`` that does what its supervisor says."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import Any

from proxy.access.revoked_sessions import Revocation
from proxy.app import Application
from proxy.builders import SharedResources
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.net.ports import Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime import output
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.logs import log_to_stderr
from proxy.runtime.tasks import spawn

from .limits import divide_limits
from .lockout import SharedLockout
from .logout import SharedRevokedSessions
from .messages import Channel, Order

log = logging.getLogger("labgate")


def main(descriptor: int) -> int:
    """Serve until the supervisor says stop, or is gone.

    Args:
        descriptor: This end of the channel.
    """
    output.take_over()
    ignored = (signal.SIGINT, signal.SIGHUP)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_work(end))


async def _work(end: socket.socket) -> int:
    channel = await Channel.open(end)
    message = await channel.receive()
    if message is None:
        return 0
    order = Order(**message)
    settings = divide_limits(Settings.model_validate(order.settings), order.workers)
    log_to_stderr(settings.log.level)
    access = settings.access
    lockout = SharedLockout(
        access.login_failures,
        access.lockout_seconds,
        order.workers,
        lambda told: channel.send({"login": told}),
    )
    for told in order.logins:
        lockout.hear(told)
    revoked = SharedRevokedSessions(
        (Revocation(*told) for told in order.logouts), lambda told: channel.send({"logout": told})
    )
    shared = SharedResources(
        Ports(_sockets(order.main), _sockets(order.plain)),
        lockout,
        bytes.fromhex(order.session_key),
        bytes.fromhex(order.digest_key),
        revoked,
        revoked.revoke,
    )
    app = Application(settings, access_log=order.access_log, renew=False, shared=shared)
    if order.upstream is not None:
        app.connect_to(UpstreamAddress(**order.upstream))
    worker = _Worker(app, channel, lockout, revoked)
    return await worker.run()


class _Worker:
    def __init__(
        self,
        app: Application,
        channel: Channel,
        lockout: SharedLockout,
        revoked: SharedRevokedSessions,
    ) -> None:
        self._app = app
        self._revoked = revoked
        self._channel = channel
        self._lockout = lockout
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leave)
        try:
            try:
                await self._app.start()
            except StartError as error:
                self._channel.send({"failed": str(error)})
                await self._channel.flush()
                return error.exit_code
            self._channel.send({"ready": True})
            spawn(self._obey(), "supervisor")
            await self._stop.wait()
        finally:
            await self._app.stop(self._hurry)
        return 0

    def _leave(self) -> None:
        """SIGTERM for this worker alone; a second one ends the waiting."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()
        self._channel.send({"leaving": True})

    async def _obey(self) -> None:
        while (message := await self._channel.receive()) is not None:
            self._do(message)
        # The supervisor is gone, and with it everything that this worker is good for.
        self._stop.set()

    def _do(self, message: dict[str, Any]) -> None:
        match message:
            case {"upstream": address}:
                self._app.connect_to(UpstreamAddress(**address))
            case {"login": told}:
                self._lockout.hear(told)
            case {"logout": told}:
                self._revoked.hear(told)
            case {"reload": _}:
                self._app.reload()
            case {"stop": _}:
                self._stop.set()
            case {"hurry": _}:
                self._hurry.set()


def _sockets(descriptors: list[int]) -> list[socket.socket]:
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]

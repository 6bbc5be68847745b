"""A worker: an ``Application`` that is controlled by the supervisor.

Tested by tests/e2e/test_workers.py.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from functools import partial
from typing import NoReturn

from proxy.access.revoked_sessions import Revocation
from proxy.app import Application
from proxy.builders import SharedResources
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.net.upstream_address import upstream_from_json
from proxy.runtime.last_problems import keep_last_problems
from proxy.runtime.logs import log_to_stderr
from proxy.runtime.tasks import spawn

from .captures import CaptureInWorker
from .channel import Channel, WorkerMessage, WorkerReload, WorkerSetup
from .limits import divide_limits
from .process_report import report_of
from .shared_lockout import SharedLockout
from .shared_logout import SharedRevokedSessions
from .sockets import inherited_ports
from .supervisor_messages import SupervisorMessages
from .worker_program import run_worker

log = logging.getLogger("labgate")

Prepare = Callable[[WorkerReload], Awaitable[Callable[[], None]]]
"""Loads another configuration; the result puts it into force."""


def main(descriptor: int) -> NoReturn:
    """Serve until the supervisor sends a stop or exits, then end the process.

    Args:
        descriptor: The worker's end of the channel.
    """
    run_worker(descriptor, _work)


async def _work(channel: Channel) -> int:
    message = await channel.receive()
    if message is None:
        return 0
    setup = WorkerSetup(**message)
    settings = divide_limits(Settings.model_validate(setup.settings), setup.workers)
    log_to_stderr(settings.log.level, settings.log.format)
    keep_last_problems()
    access = settings.access
    lockout = SharedLockout(
        access.login_failures,
        access.lockout_seconds,
        setup.workers,
        lambda update: channel.send({"login": update}),
    )
    for update in setup.logins:
        lockout.apply(update)
    revoked = SharedRevokedSessions(
        (Revocation(*update) for update in setup.logouts),
        lambda update: channel.send({"logout": update}),
    )
    shared = SharedResources(
        inherited_ports(**setup.ports),
        lockout,
        bytes.fromhex(setup.session_key),
        bytes.fromhex(setup.digest_key),
        revoked,
        revoked.revoke,
    )
    app = Application(settings, access_log=setup.access_log, renew=False, shared=shared)
    if setup.upstream is not None:
        app.connect_to(upstream_from_json(setup.upstream))

    async def prepare(reload: WorkerReload) -> Callable[[], None]:
        new = divide_limits(Settings.model_validate(reload.settings), setup.workers)
        # The supervisor loads them with the key, as soon as a configuration asks for a password.
        for stored in reload.logouts:
            revoked.add(Revocation(*stored))
        changed = replace(shared, session_key=bytes.fromhex(reload.session_key))
        apply = await app.prepare(new, access_log=reload.access_log, shared=changed)
        return partial(_with_log_level, new, apply)

    worker = _Worker(app, channel, lockout, revoked, prepare)
    return await worker.run()


class _Worker:
    def __init__(
        self,
        app: Application,
        channel: Channel,
        lockout: SharedLockout,
        revoked: SharedRevokedSessions,
        prepare: Prepare,
    ) -> None:
        self._app = app
        self._revoked = revoked
        self._channel = channel
        self._lockout = lockout
        self._messages = SupervisorMessages(
            channel, self._take, app.leave_to_others, partial(app.wait_for_clients, None)
        )
        self._capture = CaptureInWorker(app.inspector, lambda: app.dispatch, channel.send)
        self._prepare_reload = prepare
        self._prepared: dict[int, Callable[[], None]] = {}
        """What puts the configuration with this number into force: one at most."""

    async def run(self) -> int:
        self._messages.handle_sigterm()
        try:
            try:
                await self._app.start()
            except StartError as error:
                self._channel.send({"failed": str(error)})
                await self._channel.flush()
                return error.exit_code
            self._channel.send({"ready": True})
            spawn(self._messages.receive(), "supervisor")
            await self._messages.stop.wait()
        finally:
            await self._app.stop(self._messages.force)
        # What was counted since the last report, or a counter would lose it.
        self._channel.send({"report": asdict(report_of(self._app))})
        await self._channel.flush()
        return 0

    async def _take(self, message: WorkerMessage) -> None:
        match message:
            case {"prepare": reload}:
                # The messages behind it are about its outcome.
                await self._prepare(WorkerReload(**reload))
            case {"upstream": address}:
                self._app.connect_to(upstream_from_json(address))
            case {"login": update}:
                self._lockout.apply(update)
            case {"logout": update}:
                self._revoked.apply(update)
            case {"vacant": descriptors}:
                await self._app.accept_for_others(descriptors)
            case {"unlock": address}:
                self._lockout.forget(address)
            case {"report": _}:
                self._channel.send({"report": asdict(report_of(self._app))})
            case {"apply": number}:
                self._apply(number)
            case {"forget": number}:
                self._prepared.pop(number, None)
            case _:
                self._capture.take(message)

    async def _prepare(self, reload: WorkerReload) -> None:
        """Load another configuration, and tell the supervisor whether it can be used."""
        self._prepared, refusal = {}, ""
        try:
            self._prepared[reload.number] = await self._prepare_reload(reload)
        except StartError as error:
            refusal = str(error)
        except Exception as error:
            log.exception("the configuration cannot be prepared")
            refusal = f"a worker failed: {error!r}; the log has more."
        self._channel.send({"prepared": {"number": reload.number, "refusal": refusal}})

    def _apply(self, number: int) -> None:
        """Put what is prepared into force, or leave to a successor that starts with it."""
        try:
            self._prepared.pop(number)()
        except Exception:
            log.exception(
                "the configuration cannot be put into force here; a successor starts with it"
            )
            self._messages.leave_to_successor()


def _with_log_level(settings: Settings, apply: Callable[[], None]) -> None:
    log_to_stderr(settings.log.level, settings.log.format)
    apply()

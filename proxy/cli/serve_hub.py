"""``labgate hub`` while it runs: signals, the admin socket, and a successor.

Tested by tests/hub/test_command.py and tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private
from proxy.errors import StartError
from proxy.hub.admin import HubInstance, make_hub_admin
from proxy.hub.hub_proxy import HubProxy
from proxy.hub.options import HubOptions
from proxy.runtime import ending_signals
from proxy.runtime.instance_lock import name_owner, storage_claim
from proxy.runtime.listen_fds import passed_sockets
from proxy.runtime.log_format import facts
from proxy.runtime.sd_notify import sd_notify
from proxy.runtime.secret_files import read_or_create_secret
from proxy.service.container_end import container_obstacle
from proxy.service.handover import Handover
from proxy.service.lifetime import Lifetime
from proxy.service.takeover import Takeover

log = logging.getLogger("labgate")

TOKEN_FILE = "hub.token"  # noqa: S105
TOKEN_OCTETS = 32


async def serve_hub(options: HubOptions, state_folder: Path, *, take_over: bool = False) -> int:
    """Run until SIGINT or SIGTERM; a second one ends the draining. SIGHUP reads certificates.

    Args:
        options: What the command line says.
        state_folder: Where commands look for it.
        take_over: Whether to take over from the labgate that runs with this folder.

    Returns:
        The exit code: 1 if a successor ended while it took over.

    Raises:
        StartError: It cannot start.
    """
    options = _with_token(options, state_folder)
    hub, lifetime = HubProxy(options), Lifetime(handover=Handover("hub"))
    handover, stopping = lifetime.handover, asyncio.Event()
    handover.ports, handover.obstacle = hub.ports.named, container_obstacle()
    handover.freeze, handover.thaw = hub.hand_over_routes, hub.keep_routes
    handover.on_serving, handover.on_released = hub.leave_to_others, stopping.set
    instance = HubInstance(options, state_folder, hub, handover)
    with _signals(hub, stopping, lifetime.force):
        try:
            await _start(hub, lifetime, state_folder, take_over=take_over)
            if hub.claim is not None and options.storage is not None:
                handover.claims[str(storage_claim(options.storage).place)] = hub.claim
            async with _admin(instance, state_folder, lifetime):
                await _complete(hub, lifetime)
                await hub.open_api()
                _write_pid(options.pid_file)
                _report(options)
                sd_notify("READY=1")
                await stopping.wait()
            if handover.successor and not handover.is_lost:
                await hub.wait_for_clients(lifetime.force)
        finally:
            if lifetime.is_shared:
                hub.table.leave_journal()
            else:
                sd_notify("STOPPING=1")
            await hub.stop(lifetime.force)
            _remove_pid(options.pid_file)
    return 1 if handover.is_lost else 0


async def _start(hub: HubProxy, lifetime: Lifetime, state_folder: Path, *, take_over: bool) -> None:
    """Start with what the service manager or a predecessor gives.

    Raises:
        StartError: It cannot start.
    """
    if take_over:
        lifetime.takeover = await Takeover.begin(state_folder, "hub")
        if lifetime.takeover is None:
            log.info("no labgate runs with this state folder: nothing to take over")
    await hub.start(passed_sockets(), lifetime.takeover)


async def _complete(hub: HubProxy, lifetime: Lifetime) -> None:
    """Own what was taken over.

    Raises:
        StartError: The predecessor keeps serving.
    """
    if lifetime.takeover is not None:
        await lifetime.takeover.complete()
        if hub.claim is not None:
            name_owner(hub.claim)


@asynccontextmanager
async def _admin(
    instance: HubInstance, state_folder: Path, lifetime: Lifetime
) -> AsyncIterator[None]:
    """Serve the admin socket; labgate runs without it, too."""
    listening = lifetime.passed_socket("admin")
    try:
        listening = listening or bind_private(socket_path(state_folder))
    except StartError as error:
        log.info("no admin socket: %s `labgate status` and the like do not find this one", error)
        yield
        return
    lifetime.handover.sockets["admin"] = listening
    server = make_hub_admin(instance)
    await server.serve_socket(listening)
    try:
        yield
    finally:
        await server.stop(keep_socket=lifetime.is_shared)
        if lifetime.is_shared:
            # Whoever opens the inspector gets the other labgate's. This process may live on for
            # hours, for its WebSockets.
            instance.hub.inspector.end()


@contextmanager
def _signals(hub: HubProxy, stopping: asyncio.Event, force: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM stop it, a second one ends the draining; SIGHUP reads certificates."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            force.set()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, hub.reload)
    try:
        yield
    finally:
        ending_signals.ignore([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


def _with_token(options: HubOptions, state_folder: Path) -> HubOptions:
    """With the token of an earlier start, if none was given; a log is no place for it."""
    if options.token:
        return options
    file = state_folder.absolute() / TOKEN_FILE
    try:
        token = read_or_create_secret(file, TOKEN_OCTETS)
        remark = f"the API's token is the content of {file}"
    except (OSError, UnicodeDecodeError) as error:
        token = secrets.token_hex(TOKEN_OCTETS)
        remark = f"nobody knows the API's token: {file}: {error}"
    warning = f"CONFIGPROXY_AUTH_TOKEN is not set; {remark}"
    return replace(options, token=token, warnings=(*options.warnings, warning))


def _report(options: HubOptions) -> None:
    for warning in options.warnings:
        log.warning("%s", warning)
    scheme = "https" if options.tls is not None else "http"
    target = options.default_target or "(no default target)"
    known = facts(open=f"{scheme}://{options.public}", default_target=options.default_target)
    log.info("Proxying %s://%s to %s", scheme, options.public, target, extra=known)
    scheme = "https" if options.api_tls is not None else "http"
    api = f"{scheme}://{options.api}/api/routes"
    log.info("The API is at %s", api, extra=facts(api=api))
    if options.metrics is not None:
        metrics = f"http://{options.metrics}/metrics"
        log.info("Metrics are at %s", metrics, extra=facts(metrics=metrics))


def _write_pid(path: Path | None) -> None:
    if path is None:
        return
    try:
        path.write_text(str(os.getpid()), "ascii")
    except OSError as error:
        raise StartError(f"--pid-file {path} cannot be written: {error.strerror}.") from None


def _remove_pid(path: Path | None) -> None:
    """Remove the file, unless another process has written its own since."""
    with suppress(OSError):
        if path is not None and path.read_bytes() == str(os.getpid()).encode():
            path.unlink()

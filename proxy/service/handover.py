"""The running labgate hands over to a successor: sockets, locks, Jupyter, and the service.

A successor asks on the admin socket, and is given a socket of its own to talk over. Messages are
lines of JSON; both sides ignore keys that they do not know, so either may be the newer version.

- successor: ``{"protocol": 1, "version": "…", "pid": …, "kind": "site"}``, or ``"hub"``
- here: the same (``service.hello``) with ``"names": […]``, and with a descriptor for each name
  (``https:443``, ``http:80`` with the configured port, ``admin``, ``metrics``, ``claim:…``, and
  ``logins``, a file with the ``LoginState``), or ``{"refused": "…"}``
- successor, when it needs nothing else any more: ``{"state": true}``, if there is more to be had
- here: ``{"state": true}`` with its descriptors; nothing changes from here on
- successor, when it serves: ``{"serving": true}``
- here, when everything is the successor's: ``{"released": true, "names": ["logins"]}``, again with
  that file: people have tried passwords meanwhile

Until ``serving`` nothing is given away: descriptors are shared, and both accept connections. If the
successor ends before or takes too long, this labgate keeps serving; a successor that hears no
``released`` may go on only if this process has ended. Only ``labgate hub`` has a state: its routes,
with names such as ``public:8000`` for its sockets. Tested by tests/e2e/test_takeover.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from proxy.access.login_state import LoginState
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private, peer_pid, remove_private
from proxy.errors import StartError
from proxy.runtime import socket_passing
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.instance_lock import HeldClaim
from proxy.runtime.sd_notify import sd_notify
from proxy.runtime.tasks import spawn
from proxy.service.detached_process import DetachedProcess
from proxy.service.hello import PROTOCOL, Kind, hello, refusal

log = logging.getLogger("labgate")

CONNECT_SECONDS = 10.0
SERVING_SECONDS = 300.0
"""Within this the successor must serve: its Jupyter may have to be started."""
STATE_SECONDS = 20.0
"""Within this it must serve once it has the state, because others wait meanwhile."""
ENDING_SECONDS = 30.0
"""A successor that is told to end may take this long: it may have accepted connections, and it
finishes their requests."""
CLAIM = "claim:"
LOGINS = "logins"
_BUSY = "Another process is taking over from this labgate. Wait for it."
_NOT_FOR_A_SUCCESSOR = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID")


class Handover:
    """What this labgate can hand over, and the successor that has it.

    Attributes:
        claims: Descriptors of its claims, by ``Claim.place``.
        sockets: Listening sockets beside the public ones, by name.
        obstacle: Why no takeover is possible; empty if one is.
        ports: The public listening sockets with their names.
        logins: Failed logins and lockouts.
        freeze: Gives descriptors of the state, which does not change any more; None without one.
        thaw: Called if the successor does not serve after that.
        on_serving: Called when a successor serves: accept nothing more, and renew nothing.
        on_released: Called when everything is the successor's.
        may_restart_jupyter: Clear while a successor looks after Jupyter.
        successor: Its process id; 0 if there is none.
        is_lost: Whether the successor ended before it owned everything, so that nobody serves.

    Args:
        kind: What is served here.
        connect_seconds: Within this a successor must connect.
        serving_seconds: Within this it must serve then.
        ending_seconds: One that does not serve is told to end, and killed after this.
    """

    def __init__(
        self,
        kind: Kind = "site",
        connect_seconds: float = CONNECT_SECONDS,
        serving_seconds: float = SERVING_SECONDS,
        ending_seconds: float = ENDING_SECONDS,
    ) -> None:
        self.claims: dict[str, HeldClaim] = {}
        self.sockets: dict[str, socket.socket] = {}
        self.obstacle = ""
        self.ports: Callable[[], list[tuple[str, socket.socket]]] = list
        self.logins: Callable[[], LoginState] = LoginState
        self.freeze: Callable[[], Awaitable[list[int]]] | None = None
        self.thaw: Callable[[], Awaitable[None]] | None = None
        self.on_serving: Callable[[], None] = lambda: None
        self.on_released: Callable[[], None] = lambda: None
        self.may_restart_jupyter = asyncio.Event()
        self.may_restart_jupyter.set()
        self.successor = 0
        self.is_lost = False
        self._serving = asyncio.Event()
        self._busy = self._starting = self._frozen = False
        self._kind = kind
        self._connect_seconds = connect_seconds
        self._serving_seconds = serving_seconds
        self._ending_seconds = ending_seconds

    def offer(self, state_folder: Path) -> Path:
        """The path of a private socket for one successor.

        Raises:
            StartError: Nobody can take over, or somebody does already.
        """
        self._check_is_idle()
        path = socket_path(state_folder, f"takeover-{secrets.token_hex(4)}.sock")
        listening = bind_private(path)
        self._busy = True
        spawn(self._hand_over(listening), "handover")
        return path

    async def start_successor(self) -> int:
        """Start labgate again as it was started, but to take over; returns the successor's id.

        Raises:
            StartError: The takeover failed, and this labgate keeps serving; or another process is
                taking over already.
        """
        self._check_is_idle()
        if self._starting:
            raise StartError(_BUSY)
        self._starting = True
        try:
            return await self._start_successor()
        finally:
            self._starting = False

    def _check_is_idle(self) -> None:
        """Check that a successor may come.

        Raises:
            StartError: Nobody can take over, or somebody does or did already.
        """
        if self.obstacle:
            raise StartError(self.obstacle)
        if self.successor:
            raise StartError(f"Process {self.successor} serves already; this labgate ends.")
        if self._busy:
            raise StartError(_BUSY)

    async def _start_successor(self) -> int:
        command = [*sys.orig_argv, *(() if "--take-over" in sys.argv else ("--take-over",))]
        inherited = {
            name: value for name, value in os.environ.items() if name not in _NOT_FOR_A_SUCCESSOR
        }
        start = partial(DetachedProcess, command, inherited)
        try:
            process = await run_in_daemon_thread("successor", start)
        except OSError as error:
            raise StartError(f"{error}; this labgate keeps serving.") from None
        ended = spawn(process.wait(), "successor")
        serving = spawn(self._serving.wait(), "successor serves")
        limit = self._connect_seconds + self._serving_seconds
        await asyncio.wait({ended, serving}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if not self._serving.is_set() and not ended.done():
            process.terminate()
            await asyncio.wait({ended}, timeout=self._ending_seconds)
            if not ended.done():
                process.kill()
            raise StartError(
                f"The new labgate does not serve after {limit:g} s and is "
                f"{'stopped' if ended.done() else 'killed, because it does not end'}; this one "
                "goes on. The log says what it waited for."
            )
        if not self._serving.is_set():
            raise StartError(
                "The new labgate has ended, and this one goes on; the log says why. "
                "`labgate check` finds what is wrong with the configuration."
            )
        return self.successor

    async def _hand_over(self, listening: socket.socket) -> None:
        channel = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                channel, _ = await asyncio.get_running_loop().sock_accept(listening)
            await self._talk(channel)
        except (OSError, ValueError, LookupError, TypeError, TimeoutError) as error:
            reason = error or "it took too long"
            log.warning("takeover failed: %s; this labgate keeps serving", reason)
        finally:
            remove_private(listening)
            if channel is not None:
                channel.close()
            if not self.successor:
                self.may_restart_jupyter.set()
                await self._thaw()
            self._busy = False

    async def _talk(self, channel: socket.socket) -> None:
        said = await _receive(channel, self._connect_seconds)
        # Where the system does not say who it is, the successor does.
        pid = peer_pid(channel) or int(said["pid"])
        log.info("process %d (labgate %s) takes over", pid, said.get("version", "?"))
        if refused := refusal(said, pid, self._kind):
            socket_passing.send(channel, {"protocol": PROTOCOL, "refused": refused})
            return
        self.may_restart_jupyter.clear()
        shared = [*self.ports(), *self.sockets.items()]
        names = [name for name, _ in shared] + [f"{CLAIM}{place}" for place in self.claims]
        descriptors = [one.fileno() for _, one in shared]
        descriptors += [claim.fileno() for claim in self.claims.values()]
        self._send_with_logins(channel, hello(self._kind), names, descriptors)
        answer = await _receive(channel, self._serving_seconds)
        if answer.get("state"):
            await self._pass_state(channel)
            answer = await _receive(channel, STATE_SECONDS)
        if not answer.get("serving"):
            raise ConnectionError("the successor does not serve")
        self.successor = pid
        self.on_serving()
        sd_notify(f"MAINPID={pid}")
        try:
            self._send_with_logins(channel, {"released": True})
        except OSError as error:
            # This process no longer accepts connections, so it can only end.
            self.is_lost = True
            log.error("process %d ended while it took over: %s; this labgate ends", pid, error)
        else:
            self._serving.set()
            log.info("process %d serves from now on; open WebSockets stay here", pid)
        self.on_released()

    def _send_with_logins(
        self,
        channel: socket.socket,
        message: dict[str, Any],
        names: Sequence[str] = (),
        descriptors: Sequence[int] = (),
    ) -> None:
        file = socket_passing.unnamed_file(self.logins().octets())
        try:
            named = message | {"names": [*names, LOGINS]}
            socket_passing.send(channel, named, [*descriptors, file])
        finally:
            os.close(file)

    async def _pass_state(self, channel: socket.socket) -> None:
        """Give the state to the successor.

        Raises:
            OSError: It cannot be.
        """
        if self.freeze is None:
            raise ConnectionError("the successor asks for a state, and there is none")
        self._frozen = True
        descriptors = await self.freeze()
        try:
            socket_passing.send(channel, {"state": True}, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    async def _thaw(self) -> None:
        if self._frozen and self.thaw is not None:
            self._frozen = False
            await self.thaw()


async def _receive(channel: socket.socket, seconds: float) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        channel.settimeout(seconds)
        message, descriptors = socket_passing.receive(channel)
        for descriptor in descriptors:
            os.close(descriptor)
        return message

    return await run_in_daemon_thread("handover", read)

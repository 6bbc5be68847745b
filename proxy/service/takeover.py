"""A labgate that takes over from the one that runs: the successor's side of ``handover``.

Tested by tests/service/test_handover.py and tests/e2e/test_takeover.py.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from proxy.access.login_state import LoginState
from proxy.admin.unix_socket import peer_pid
from proxy.errors import StartError
from proxy.runtime import socket_passing
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.process_end import has_ended
from proxy.service.handover import CLAIM, LOGINS
from proxy.service.hello import Kind, another_kind, hello

log = logging.getLogger("labgate")

ANSWER_SECONDS = 30.0
ENDING_SECONDS = 2.0
"""A process that ends closes its sockets first, and is gone within this."""
PORTS = ("https", "http", "public", "redirect", "api", "metrics")
"""What comes before the configured port in a socket's name; the last four are a hub's."""


class Takeover:
    """The resources of a predecessor, shared with it until ``complete``.

    Attributes:
        ports: The listening sockets of ports, as ``https:443`` with the configured port.
        sockets: The other ones.
        claims: Descriptors of what the predecessor held, by ``Claim.place``.
        logins: The predecessor's failed logins and lockouts, as of its last message; None if its
            version sends none.
        is_complete: Whether everything is this process's.
    """

    def __init__(
        self, channel: socket.socket, predecessor: int, passed: Sequence[tuple[str, int]]
    ) -> None:
        self._channel = channel
        self._predecessor = predecessor
        self.ports: list[tuple[str, socket.socket]] = []
        self.sockets: dict[str, socket.socket] = {}
        self.claims: dict[str, int] = {}
        self.logins: LoginState | None = None
        self.is_complete = False
        for name, descriptor in passed:
            role, colon, _ = name.partition(":")
            if colon and role in PORTS:
                self.ports.append((name, socket.socket(fileno=descriptor)))
            elif name.startswith(CLAIM):
                self.claims[name.removeprefix(CLAIM)] = descriptor
            elif name in ("admin", "metrics"):
                self.sockets[name] = socket.socket(fileno=descriptor)
            elif name == LOGINS:
                self.logins = _login_state(descriptor)
            else:
                os.close(descriptor)

    def ports_for(self, configured: Mapping[str, int]) -> list[tuple[str, socket.socket]]:
        """The sockets of the ports that are still configured, by name; the others are closed."""
        kept = []
        for name, one in self.ports:
            role, _, port = name.partition(":")
            if str(configured.get(role)) == port:
                kept.append((role, one))
            else:
                one.close()
        return kept

    @classmethod
    async def begin(cls, state_folder: Path, kind: Kind = "site") -> Self | None:
        """Ask the running labgate; None if none runs with this state folder.

        Args:
            state_folder: The folder.
            kind: What is to be served here.

        Raises:
            StartError: It does not hand over.
        """
        from proxy.admin.client import AdminClient, NotRunning  # noqa: PLC0415  aiohttp, 0.3 s

        try:
            async with AdminClient.connect(state_folder) as client:
                path = (await client.post("takeover"))["socket"]
        except NotRunning:
            return None
        return await run_in_daemon_thread("takeover", lambda: cls.connect(path, kind))

    @classmethod
    def connect(cls, path: str, kind: Kind = "site") -> Self:
        """Take what is handed over on a socket; the arguments are as ``begin``'s.

        Raises:
            StartError: Nothing is.
        """
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel.settimeout(ANSWER_SECONDS)
        descriptors: list[int] = []
        try:
            channel.connect(path)
            socket_passing.send(channel, hello(kind))
            offer, descriptors = socket_passing.receive(channel)
            if refused := offer.get("refused"):
                raise StartError(str(refused))
            if (running := offer.get("kind", kind)) != kind:
                raise StartError(another_kind(str(running), kind))
            predecessor = peer_pid(channel) or int(offer["pid"])
            passed = list(zip(offer.get("names", ()), descriptors, strict=True))
        except (OSError, ValueError, LookupError, TypeError, StartError) as error:
            channel.close()
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(error, StartError):
                raise
            raise StartError(f"The running labgate did not hand over: {error}.") from None
        return cls(channel, predecessor, passed)

    async def state(self) -> list[int]:
        """The descriptors of the predecessor's state, which does not change from here on.

        Raises:
            StartError: It gave none.
        """

        def ask() -> list[int]:
            socket_passing.send(self._channel, {"state": True})
            return socket_passing.receive(self._channel)[1]

        try:
            return await run_in_daemon_thread("takeover", ask)
        except (OSError, ValueError) as error:
            raise StartError(f"The running labgate did not hand over: {error}.") from None

    async def complete(self) -> None:
        """Tell that this process serves, and wait until everything is its own.

        If the predecessor ends instead, everything is this process's, too.

        Raises:
            StartError: The predecessor does not wait any more, and keeps everything.
        """

        def tell() -> bool:
            try:
                socket_passing.send(self._channel, {"serving": True})
                answer, descriptors = socket_passing.receive(self._channel)
            except (OSError, ValueError):
                return False
            finally:
                self._channel.close()
            for name, descriptor in zip(answer.get("names", ()), descriptors, strict=False):
                if name == LOGINS:
                    self.logins = _login_state(descriptor)
                else:
                    os.close(descriptor)
            return answer.get("released") is True

        def release() -> bool:
            return tell() or has_ended(self._predecessor, ENDING_SECONDS)

        if not await run_in_daemon_thread("takeover", release):
            raise StartError("The running labgate did not wait so long, and goes on.")
        self.is_complete = True


def _login_state(descriptor: int) -> LoginState | None:
    """None if another version wrote it otherwise: failures are counted from zero then."""
    try:
        return LoginState.read(socket_passing.content_of(descriptor))
    except (OSError, ValueError) as error:
        log.warning("failed logins are counted from zero: %s", error)
        return None


def claims_of(takeover: Takeover | None) -> Mapping[str, int]:
    """What was handed over of locks; nothing without a predecessor."""
    return takeover.claims if takeover is not None else {}

"""The listening sockets of a hub's proxy: bound here, passed by the service manager, or taken over.

Tested by tests/hub/test_ports.py.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from proxy.errors import StartError
from proxy.hub.options import Endpoint, HubOptions
from proxy.net.ports import BACKLOG, Ports, bind, bind_error, set_options

PUBLIC, REDIRECT, API, METRICS = "public", "redirect", "api", "metrics"
"""What a socket is for: also its name where others opened it (``FileDescriptorName=``)."""


class Flags(NamedTuple):
    """The options that say where something listens."""

    port: str
    address: str
    socket: str


FLAGS = {
    PUBLIC: Flags("--port", "--ip", "--socket"),
    REDIRECT: Flags("--redirect-port", "--ip", "--socket"),
    API: Flags("--api-port", "--api-ip", "--api-socket"),
    METRICS: Flags("--metrics-port", "--metrics-ip", "--metrics-socket"),
}

Named = Sequence[tuple[str, socket.socket]]


class HubPorts:
    """The sockets by what they are for.

    They stay open here until ``close``, so that nobody is refused while what serves them is closed.

    Attributes:
        given: Whether somebody else opened the public ones, and keeps them open at the end.

    Args:
        options: What the command line says.
    """

    def __init__(self, options: HubOptions) -> None:
        self._endpoints = {PUBLIC: options.public, API: options.api}
        if options.redirect_port is not None:
            redirect = options.public._replace(port=options.redirect_port)
            self._endpoints[REDIRECT] = redirect
        if options.metrics is not None:
            self._endpoints[METRICS] = options.metrics
        self._sockets: dict[str, list[socket.socket]] = {role: [] for role in self._endpoints}
        self.given = False

    def take_passed(self, passed: Named) -> None:
        """Use what the service manager opened.

        Raises:
            StartError: It is for nothing that is configured.
        """
        for name, one in passed:
            role = name if name in FLAGS else self._role_of(one)
            if role not in self._endpoints:
                what = name if name in FLAGS else _place(one)
                raise StartError(
                    f"labgate was given the socket {what}, and does not know what for: write "
                    "FileDescriptorName=public, api, metrics or redirect into the socket unit, "
                    "and give the flag that belongs to it."
                )
            if one.family != socket.AF_UNIX:
                set_options(one)
            self._sockets[role].append(one)
        self.given = bool(self._sockets[PUBLIC])

    def take_over(self, named: Named) -> None:
        """Use what a predecessor has, as far as it is still configured; the others are closed."""
        for name, one in named:
            role, _, place = name.partition(":")
            if role in self._endpoints and place == self._configured(role):
                self._sockets[role].append(one)
            else:
                one.close()
        self.given = bool(self._sockets[PUBLIC])

    def bind(self) -> None:
        """Bind what is not there yet, and listen.

        Raises:
            StartError: A port is not available.
        """
        for role, endpoint in self._endpoints.items():
            if not self._sockets[role]:
                self._sockets[role] = _bound(endpoint, role)
        for role, sockets in self._sockets.items():
            for one in sockets:
                _listen(one, role)

    def public(self) -> Ports:
        """New descriptors of the public sockets, and of those that redirect."""
        return Ports(self.duplicates(PUBLIC), self.duplicates(REDIRECT), self.given)

    def add_public(self, sockets: Sequence[Ports]) -> None:
        """Keep more sockets of the public ports: each worker has its own."""
        for role, each in ((PUBLIC, "main"), (REDIRECT, "plain")):
            if role in self._sockets:
                kept = {one.fileno(): one for ports in sockets for one in getattr(ports, each)}
                self._sockets[role] = list(kept.values())

    def originals(self) -> Ports:
        """The public sockets themselves."""
        return Ports(self._sockets[PUBLIC], self._sockets.get(REDIRECT, []), self.given)

    def duplicates(self, role: str) -> list[socket.socket]:
        """New descriptors of the sockets for something; none if it is not configured."""
        return [one.dup() for one in self._sockets.get(role, ())]

    def named(self) -> list[tuple[str, socket.socket]]:
        """All of them for a successor, as ``public:8000``, with what is configured."""
        return [
            (f"{role}:{self._configured(role)}", one)
            for role, sockets in self._sockets.items()
            for one in sockets
        ]

    def close(self) -> None:
        """Close them here."""
        for one in self._all():
            one.close()

    def _all(self) -> Iterable[socket.socket]:
        return [one for sockets in self._sockets.values() for one in sockets]

    def _configured(self, role: str) -> str:
        endpoint = self._endpoints[role]
        return str(endpoint.port if endpoint.socket is None else endpoint.socket)

    def _role_of(self, one: socket.socket) -> str:
        place = _place(one)
        return next((role for role in self._endpoints if self._configured(role) == place), "")


def _place(one: socket.socket) -> str:
    """The port, or the path of a Unix socket."""
    name = one.getsockname()
    return str(name if one.family == socket.AF_UNIX else name[1])


def _bound(endpoint: Endpoint, role: str) -> list[socket.socket]:
    """Bind what is configured for a role.

    Raises:
        StartError: It cannot be; with the flag that changes it.
    """
    flags = FLAGS[role]
    if endpoint.socket is None:
        return bind(
            endpoint.addresses,
            endpoint.port or 0,
            flags.port,
            optional=endpoint.optional,
            address_flag=flags.address,
        )
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if endpoint.socket.is_socket():
            endpoint.socket.unlink()
        listening.bind(str(endpoint.socket))
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise StartError(
            f"{flags.socket} {endpoint.socket}: it cannot be listened on: "
            f"{error.strerror or error}. Name a path in a folder that this user may write to."
        ) from None
    return [listening]


def _listen(one: socket.socket, role: str) -> None:
    """Listen; another program may have begun to since the socket was bound.

    Raises:
        StartError: It cannot be; with the flag that changes it.
    """
    try:
        one.listen(BACKLOG)
    except OSError as error:
        flags = FLAGS[role]
        if one.family == socket.AF_UNIX:
            raise StartError(f"{flags.socket} {_place(one)}: {error.strerror}.") from None
        host, port = one.getsockname()[:2]
        raise StartError(bind_error(error, host, port, flags.port, flags.address)) from None

"""Binds ports before anything is launched, so that a port in use is found first."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.errors import StartError
from proxy.net.keepalive import keep_alive
from proxy.net.port_holder import is_labgate
from proxy.rules.authority import host_with_port
from proxy.runtime.system_commands import COMMANDS

BACKLOG = 1024


class NoAddressError(StartError):
    """Every address was optional, and this machine has none of them."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Bound sockets.

    Attributes:
        main: Of the port that serves everything.
        plain: Of the port that redirects there.
        given: Whether somebody else bound them, who keeps them open when labgate ends.
        others: What the other workers have on the same ports; None, or empty, if they have none.
    """

    main: list[socket.socket]
    plain: list[socket.socket]
    given: bool = False
    others: Ports | None = None

    @property
    def sockets(self) -> list[socket.socket]:
        """All of both ports, without those of others."""
        return [*self.main, *self.plain]

    def close(self) -> None:
        """Close every socket, here also those of others."""
        for opened in self.sockets:
            opened.close()
        if self.others is not None:
            self.others.close()


def bind(
    addresses: Sequence[str],
    port: int,
    flag: str,
    *,
    optional: Sequence[str] = (),
    address_flag: str = "--bind",
) -> list[socket.socket]:
    """A listening TCP socket per address; they take connections once a server reads them.

    Args:
        addresses: IP addresses or names of this machine.
        port: 0 lets the kernel choose.
        flag: The option that would change the port, named in the error.
        optional: Addresses to leave out where this machine lacks their family.
        address_flag: The option that would change the addresses.

    Raises:
        StartError: Port taken, no permission, or not an address of this machine.
        NoAddressError: Every address was left out.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                sockets.append(_bound(address, port))
            except OSError as error:
                if address in optional and error.errno in _NO_FAMILY:
                    continue
                raise StartError(bind_error(error, address, port, flag, address_flag)) from None
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    if not sockets:
        raise NoAddressError(f"None of {', '.join(addresses)} is an address of this machine.")
    return sockets


_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _bound(address: str, port: int) -> socket.socket:
    infos = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, target = infos[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        set_options(listening)
        listening.bind(target)
    except BaseException:
        listening.close()
        raise
    return listening


def set_options(listening: socket.socket) -> None:
    """Set what every connection inherits, which saves system calls, and do not block."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(listening)
    listening.setblocking(False)


def bind_error(
    error: OSError, address: str, port: int, flag: str, address_flag: str = "--bind"
) -> str:
    """Why an address cannot be listened on, and the remedy."""
    shown = host_with_port(address, port)
    if error.errno == errno.EADDRINUSE and is_labgate(address, port):
        return (
            f"{shown} is taken by a labgate that runs already. Where it has this state folder, "
            "`labgate status` tells of it and `labgate stop` stops it; a `labgate inspect "
            f"--upstream` ends with Ctrl-C. Or choose another port with {flag}."
        )
    if error.errno == errno.EADDRINUSE:
        return (
            f"{shown} is taken by another program. Stop that program "
            f"({COMMANDS.listener_of(port)} names it), or choose another port with {flag}."
        )
    if error.errno == errno.EACCES:
        return (
            f"No permission to listen on {shown}. Run labgate as the systemd service "
            f"(`labgate install-service`) or as root, or choose a port above 1023 with {flag}."
        )
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{address_flag} {address}: this is not an address of this machine."
    return f"Cannot listen on {shown}: {error.strerror or error}."

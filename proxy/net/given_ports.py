"""Which of the sockets that labgate is given serve which port: by name, or by their number."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from proxy.errors import StartError
from proxy.net.ports import Ports, set_options

HTTPS, HTTP = "https", "http"
"""The names of the sockets: ``FileDescriptorName=`` (systemd.socket(5))."""
NEW_UNIT = (
    "`labgate install-service` writes the socket unit anew, with the configured ports; then "
    "`systemctl restart labgate.socket labgate`."
)
"""The remedy where the ports of the configuration and of the socket unit differ."""


def ports_of(
    given: Iterable[tuple[str, socket.socket]], https_port: int | None, http_port: int
) -> Ports:
    """Sort sockets that others have bound.

    Args:
        given: Sockets with their names; other names than ``HTTPS`` and ``HTTP`` say nothing.
        https_port: The configured port; None without TLS.
        http_port: The configured port; 0 for none.

    Raises:
        StartError: A socket is for no port, with the remedy.
    """
    given = list(given)
    by_name: dict[str, list[socket.socket]] = {HTTPS: [], HTTP: []}
    for name, one in given:
        role = _role(name, one, https_port, http_port)
        set_options(one)
        by_name[role].append(one)
    if https_port is None:
        return Ports(by_name[HTTP], [], given=bool(given))
    return Ports(by_name[HTTPS], by_name[HTTP], given=bool(given))


def _role(name: str, one: socket.socket, https_port: int | None, http_port: int) -> str:
    address = one.getsockname()
    port = address[1] if one.family in (socket.AF_INET, socket.AF_INET6) else 0
    if one.type != socket.SOCK_STREAM or not port:
        raise StartError(f"The socket {name or address} that labgate was given is none of TCP.")
    role = name if name in (HTTPS, HTTP) else ""
    if not role and port in (https_port, http_port):
        role = HTTPS if port == https_port else HTTP
    if not role:
        configured = " and ".join(str(one) for one in (https_port, http_port) if one)
        raise StartError(
            f"labgate was given a socket on port {port}, and is configured for {configured} "
            f"(listen.https_port, listen.http_port). {NEW_UNIT} Or write FileDescriptorName=https "
            "or http into the socket unit, or configure that port."
        )
    if role == HTTPS and https_port is None:
        raise StartError(
            f"labgate was given port {port} for HTTPS, with listen.tls = false: drop one of them."
        )
    if role == HTTP and https_port is not None and not http_port:
        raise StartError(
            f"labgate was given port {port} for HTTP, with listen.http_port = 0: drop one of them."
        )
    return role

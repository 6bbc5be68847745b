"""Which servers may stand at an address where nothing answers, so that none says who it is.

Tested by tests/cli/test_doctor_servers.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from ipaddress import ip_address

PROGRAMS = {
    "nginx": ("nginx", "openresty"),
    "caddy": ("caddy",),
    "traefik": ("traefik",),
    "haproxy": ("haproxy",),
    "apache": ("apache2", "httpd"),
}
"""By the name in ``proxy.symptoms``."""
FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where servers are, and the search path of users often is not."""


def find_program(name: str) -> bool:
    """Whether this machine has the program."""
    places = (None, ":".join(FOLDERS))
    return any(shutil.which(name, path=place) is not None for place in places)


def servers_here(host: str, has: Callable[[str], bool] = find_program) -> tuple[str, ...]:
    """What may stand at a host: on this machine, what it has, and labgate.

    Args:
        host: The name or address that was examined.
        has: Whether this machine has a program.

    Returns:
        The names in ``proxy.symptoms``; none where that is not known, on other machines.
    """
    if not _is_this_machine(host):
        return ()
    there = [name for name, programs in PROGRAMS.items() if any(map(has, programs))]
    return (*there, "labgate")


def _is_this_machine(host: str) -> bool:
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False

"""Whether DNS knows the public names, and whether they lead here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

from proxy.certs.sources import hosts_of
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.addresses import is_address, is_loopback_name
from proxy.config.settings import Settings

SUBJECT = "Name"
LOOKUP_SECONDS = 5.0


async def check_names(settings: Settings) -> AsyncIterator[Verdict]:
    """Look up every public name."""
    for host in hosts_of(settings):
        if not is_address(host) and not is_loopback_name(host):
            yield await _check(host)


async def _check(host: str) -> Verdict:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return fault(
            SUBJECT,
            f"DNS does not know {host}: make an A or AAAA record that leads to this machine.",
        )
    addresses = sorted({str(info[4][0]) for info in found})
    shown = f"{host} is {', '.join(addresses)}"
    if any(is_address_here(address) for address in addresses):
        return Verdict(SUBJECT, f"{shown}, an address of this machine.")
    return remark(
        SUBJECT,
        f"{shown}, none of this machine's addresses: right behind a NAT or a balancer only.",
    )


def is_address_here(address: str) -> bool:
    """Whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True

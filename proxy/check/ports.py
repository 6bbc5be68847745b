"""Whether the ports can be opened, or who has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from proxy.check.socket_unit import UNIT, ports_held
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.addresses import host_and_port
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.net.given_ports import NEW_UNIT
from proxy.net.ports import NoAddressError, bind
from proxy.rules.authority import host_with_port

SUBJECT = "Port"
OWN_ADDRESS = ("--metrics", "inspector.address")
"""Options that name an address beside the port."""


def check_ports(settings: Settings, own: Collection[str] = ()) -> Iterator[Verdict]:
    """Open every port for a moment; no connection is accepted.

    Args:
        settings: The configuration.
        own: Where the running labgate of this state folder listens, as ``127.0.0.1:8443``.
    """
    wanted = []
    if settings.listen.tls:
        wanted += [(host, settings.https_port, "--https-port") for host in settings.bind]
    if settings.http_port:
        wanted += [(host, settings.http_port, "--http-port") for host in settings.bind]
    optional = () if settings.listen.bind else settings.bind
    held = ports_held()
    for host, port, flag in wanted:
        if port in held and host_with_port(host, port) not in own:
            # Not even asked who has it: systemd starts the service for whoever connects.
            yield Verdict(
                SUBJECT, f"{host_with_port(host, port)} is held by {UNIT}, for the service."
            )
            continue
        yield from _check(host, port, flag, own, optional=host in optional)
    if held and held != (named := {port for _, port, _ in wanted}):
        yield remark(SUBJECT, _differs(held, named))
    if settings.listen.metrics:
        yield from _check(*host_and_port(settings.listen.metrics), "--metrics", own)
    host, port = host_and_port(settings.inspector.address)
    if port:
        yield from _check(host, port, "inspector.address", own)


def _differs(held: Collection[int], named: Collection[int]) -> str:
    there, here = (" and ".join(map(str, sorted(ports))) for ports in (held, named))
    return (
        f"{UNIT} holds {there}, and this configuration names {here}: with it the service does not "
        f"start, or misses a port. {NEW_UNIT}"
    )


def _check(
    host: str, port: int, flag: str, own: Collection[str], *, optional: bool = False
) -> Iterator[Verdict]:
    shown = host_with_port(host, port)
    if shown in own:
        yield Verdict(SUBJECT, f"{shown} is in use by the running labgate.")
        return
    try:
        address_flag = flag if flag in OWN_ADDRESS else "--bind"
        left_out = [host] if optional else []
        opened = bind([host], port, flag, optional=left_out, address_flag=address_flag)
    except NoAddressError:
        return
    except StartError as error:
        yield fault(SUBJECT, error)
        return
    for listening in opened:
        listening.close()
    yield Verdict(SUBJECT, f"{shown} is free.")

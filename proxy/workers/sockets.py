"""Makes a set of listening sockets for each worker, which inherits it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any

from proxy.errors import StartError
from proxy.net.ports import BACKLOG, Ports, bind_error

KERNEL_BALANCES = sys.platform == "linux"
"""Linux balances connections between the sockets of one port (SO_REUSEPORT, socket(7)); other
systems give all of them to the last socket, or lack the option."""


def ports_per_worker(ports: Ports, workers: int) -> list[Ports]:
    """For each worker listening sockets on every address of both ports.

    Raises:
        StartError: Another program started to listen at the same moment.
    """

    def each(bound: Sequence[socket.socket]) -> list[list[socket.socket]]:
        # Unix sockets have no balancing. A given one must not be bound again: what waits in its
        # queue waits for the next labgate.
        on_network = all(one.family != socket.AF_UNIX for one in bound)
        balanced = KERNEL_BALANCES and not ports.given and on_network
        return sockets_per_worker(bound, workers, balanced=balanced)

    pairs = zip(each(ports.main), each(ports.plain), strict=True)
    return [Ports(main, plain, ports.given) for main, plain in pairs]


def descriptors(ports: Ports, others: Ports) -> dict[str, Any]:
    """What ``inherited_ports`` takes, for the setup of a worker.

    Args:
        ports: Its own.
        others: What the other workers have on the same ports.
    """
    return {
        "main": [one.fileno() for one in ports.main],
        "plain": [one.fileno() for one in ports.plain],
        "others_main": [one.fileno() for one in others.main],
        "others_plain": [one.fileno() for one in others.plain],
        "given": ports.given,
    }


def inherited_ports(
    main: Sequence[int],
    plain: Sequence[int],
    others_main: Sequence[int],
    others_plain: Sequence[int],
    *,
    given: bool,
) -> Ports:
    """In a worker: the ports of the descriptors that it has inherited."""
    others = Ports(_opened(others_main), _opened(others_plain))
    return Ports(_opened(main), _opened(plain), given, others)


def sockets_per_worker(
    bound: Sequence[socket.socket], workers: int, *, balanced: bool = KERNEL_BALANCES
) -> list[list[socket.socket]]:
    """For each worker a listening socket on every address.

    The supervisor keeps the sockets open, so they outlive a worker: connections in the queue wait
    for the other workers (``vacancies``). If the kernel does not balance, all workers share one
    socket.

    Args:
        bound: A socket for each address, bound without SO_REUSEPORT: with it, a port in use by
            another labgate would seem free.
        workers: The number of workers.
        balanced: Whether the kernel balances connections.

    Raises:
        StartError: Another program started to listen at the same moment.
    """
    try:
        for listening in bound:
            # Before the option is set, so that one of two concurrent starts is refused.
            listening.listen(BACKLOG)
    except OSError as error:
        address, port = listening.getsockname()[:2]
        flag = "--https-port or --http-port"
        raise StartError(bind_error(error, address, port, flag)) from None
    if not balanced:
        return [list(bound) for _ in range(workers)]
    for listening in bound:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return [list(bound), *([_duplicate(one) for one in bound] for _ in range(1, workers))]


def _opened(descriptors: Sequence[int]) -> list[socket.socket]:
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _duplicate(listening: socket.socket) -> socket.socket:
    """Another listening socket on the same address and port."""
    another = socket.socket(listening.family, listening.type, listening.proto)
    try:
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if listening.family == socket.AF_INET6:
            another.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        another.setblocking(False)
        another.bind(listening.getsockname())
        another.listen(BACKLOG)
    except BaseException:
        another.close()
        raise
    return another

"""Connections find their way to all workers, and a taken port stays taken."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from proxy.errors import StartError
from proxy.net.ports import Ports, bind
from proxy.workers.sockets import KERNEL_BALANCES, ports_per_worker, sockets_per_worker

CONNECTIONS = 64


def accepted(listening: socket.socket) -> int:
    """How many connections wait there; they are taken and closed."""
    number = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            number += 1
    return number


@pytest.mark.skipif(not KERNEL_BALANCES, reason="only Linux balances: run it there")
def test_the_kernel_spreads_connections_over_the_sockets() -> None:
    sets = sockets_per_worker(bind(["127.0.0.1"], 0, "--x"), 2)
    (first,), (second,) = sets
    clients = [socket.create_connection(first.getsockname()) for _ in range(CONNECTIONS)]
    try:
        counts = accepted(first), accepted(second)
        assert sum(counts) == CONNECTIONS
        assert min(counts) >= CONNECTIONS // 8
    finally:
        for opened in (first, second, *clients):
            opened.close()


def test_without_that_all_share_one_queue() -> None:
    sets = sockets_per_worker(bind(["127.0.0.1"], 0, "--x"), 3, balanced=False)
    assert len({one for sockets in sets for one in sockets}) == 1
    sets[0][0].close()


@pytest.mark.skipif(not KERNEL_BALANCES, reason="only Linux balances: run it there")
def test_unix_sockets_and_those_of_somebody_else_are_shared() -> None:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("")  # The kernel chooses an abstract address (unix(7)).
    ports = Ports(bind(["127.0.0.1"], 0, "--x"), [unix])
    first, second = ports_per_worker(ports, 2)
    assert first.main[0] is not second.main[0]
    assert first.plain[0] is second.plain[0]
    given = Ports(ports.main, [], given=True)
    assert [one.main[0] for one in ports_per_worker(given, 2)] == [*ports.main, *ports.main]
    for opened in {*first.sockets, *second.sockets}:
        opened.close()


def test_a_port_shared_by_workers_is_taken_for_everybody_else() -> None:
    ((first,), (second,)) = sockets_per_worker(bind(["127.0.0.1"], 0, "--x"), 2)
    try:
        with pytest.raises(StartError, match="is taken"):
            bind(["127.0.0.1"], first.getsockname()[1], "--https-port")
    finally:
        first.close()
        second.close()


def test_of_two_that_bound_at_once_one_is_refused() -> None:
    """Linux lets both bind, because neither listens yet."""
    mine = bind(["127.0.0.1"], 0, "--x")
    theirs = bind(["127.0.0.1"], mine[0].getsockname()[1], "--x")
    opened = [one for sockets in sockets_per_worker(mine, 2) for one in sockets]
    try:
        with pytest.raises(StartError, match="is taken"):
            sockets_per_worker(theirs, 2)
    finally:
        for one in (*opened, *theirs):
            one.close()

"""Ports, and errors that say what to do."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from proxy.errors import StartError
from proxy.net.keepalive import IDLE_SECONDS
from proxy.net.ports import NoAddressError, bind, bind_error


def test_a_taken_port_names_the_flag() -> None:
    with socket.socket() as taken:
        # It does not listen, so asking whether it is a labgate ends at once.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"127.0.0.1:{port} is taken.*--https-port"):
            bind(["127.0.0.1"], port, "--https-port")


def test_an_address_of_another_machine() -> None:
    with pytest.raises(StartError, match=r"--bind 192\.0\.2\.1: this is not an address"):
        bind(["192.0.2.1"], 0, "--https-port")
    with pytest.raises(StartError, match="not an address"):
        bind(["no.such.host.invalid"], 0, "--https-port")


def test_the_option_with_the_wrong_address_is_named() -> None:
    with pytest.raises(StartError, match=r"^--metrics 192\.0\.2\.1: this is not an address"):
        bind(["192.0.2.1"], 0, "--metrics", address_flag="--metrics")


def test_an_optional_family_may_be_missing() -> None:
    sockets = bind(["127.0.0.1", "192.0.2.1"], 0, "--x", optional=["192.0.2.1"])
    assert len(sockets) == 1
    sockets[0].close()
    with pytest.raises(NoAddressError, match=r"None of 192\.0\.2\.1 is an address"):
        bind(["192.0.2.1"], 0, "--x", optional=["192.0.2.1"])


def test_no_permission_says_how_to_get_it() -> None:
    message = bind_error(OSError(errno.EACCES, "Permission denied"), "0.0.0.0", 443, "--https-port")
    assert message.startswith("No permission to listen on 0.0.0.0:443. Run labgate as the systemd")
    assert message.endswith("with --https-port.")


async def test_a_connection_inherits_what_notices_a_vanished_client() -> None:
    (listening,) = bind(["127.0.0.1"], 0, "--x")
    loop = asyncio.get_running_loop()
    with listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = await loop.sock_accept(listening)
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                assert idle == IDLE_SECONDS

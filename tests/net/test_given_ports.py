"""Sockets that somebody else has bound, and the ports that they serve."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy.errors import StartError
from proxy.net.given_ports import ports_of


@pytest.fixture
def two() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        yield one, other


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_by_name_whatever_the_port(two: tuple[socket.socket, socket.socket]) -> None:
    ports = ports_of([("http", two[0]), ("https", two[1])], 443, 80)
    assert (ports.main, ports.plain, ports.given) == ([two[1]], [two[0]], True)
    assert two[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_by_port_without_a_name(two: tuple[socket.socket, socket.socket]) -> None:
    given = [("labgate.socket", two[0]), ("", two[1])]
    ports = ports_of(given, port_of(two[0]), port_of(two[1]))
    assert (ports.main, ports.plain) == ([two[0]], [two[1]])


def test_without_tls(two: tuple[socket.socket, socket.socket]) -> None:
    assert ports_of([("http", two[0])], None, 8080).main == [two[0]]


def test_none_are_given() -> None:
    ports = ports_of([], 443, 80)
    assert (ports.main, ports.plain, ports.given) == ([], [], False)


@pytest.mark.parametrize(
    ("name", "https_port", "http_port", "said"),
    [
        ("", 1, 2, r"configured for 1 and 2 .*`labgate install-service` writes the socket unit"),
        ("", None, 2, r"configured for 2 \("),
        ("", 1, 0, "FileDescriptorName=https or http"),
        ("https", None, 2, r"with listen\.tls = false"),
        ("http", 1, 0, r"with listen\.http_port = 0"),
    ],
)
def test_a_socket_for_no_port(
    name: str,
    https_port: int | None,
    http_port: int,
    said: str,
    two: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(StartError, match=said):
        ports_of([(name, two[0])], https_port, http_port)


def test_a_socket_of_another_kind() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        with pytest.raises(StartError, match="none of TCP"):
            ports_of([("https", datagrams)], 443, 80)

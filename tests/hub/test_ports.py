"""The sockets of a hub's proxy: bound, passed by the service manager, or taken over."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.hub.options import Endpoint, HubOptions
from proxy.hub.ports import HubPorts
from proxy.net import port_holder

ANY = Endpoint(("127.0.0.1",), 0)


def options(public: Endpoint = ANY, metrics: Endpoint | None = None) -> HubOptions:
    return HubOptions(public=public, api=ANY, metrics=metrics)


@pytest.fixture
def listening() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_ports_are_bound() -> None:
    with closing(HubPorts(options())) as ports:
        ports.bind()
        assert not ports.given
        names = [name for name, _ in ports.named()]
        assert names == ["public:0", "api:0"]
        public = ports.public()
        assert [port_of(one) for one in public.main] == [port_of(ports.named()[0][1])]
        assert public.plain == []
        public.close()


def test_passed_ports_are_told_by_their_names_or_numbers(listening: list[socket.socket]) -> None:
    first, second, third = listening
    public = Endpoint(("127.0.0.1",), port_of(second))
    with closing(HubPorts(options(public, ANY))) as ports:
        ports.take_passed([("api", first), ("what.socket", second), ("metrics", third)])
        ports.bind()
        assert ports.given
        found = {name.partition(":")[0]: one for name, one in ports.named()}
        assert found == {"api": first, "public": second, "metrics": third}


@pytest.mark.parametrize("name", ["", "metrics", "redirect", "https"])
def test_a_passed_port_for_nothing_is_named(name: str, listening: list[socket.socket]) -> None:
    with closing(HubPorts(options())) as ports:
        wanted = name if name in ("metrics", "redirect") else str(port_of(listening[0]))
        with pytest.raises(StartError, match=rf"the socket {wanted}, .*FileDescriptorName"):
            ports.take_passed([(name, listening[0])])


def test_of_a_predecessors_ports_those_that_are_still_configured_are_used(
    listening: list[socket.socket],
) -> None:
    first, second, third = listening
    with closing(HubPorts(options())) as ports:
        ports.take_over([("public:0", first), ("api:9", second), ("metrics:0", third)])
        assert second.fileno() == third.fileno() == -1
        ports.bind()
        assert ports.given
        assert ports.named()[0] == ("public:0", first)


@pytest.mark.parametrize(("role", "flag"), [("public", "--ip"), ("api", "--api-ip")])
def test_an_address_of_another_machine_is_named_with_its_flag(role: str, flag: str) -> None:
    elsewhere = Endpoint(("192.0.2.1",), 0)
    given = replace(options(), **{role: elsewhere})  # type: ignore[arg-type]
    with (
        closing(HubPorts(given)) as ports,
        pytest.raises(StartError, match=rf"^{flag} 192\.0\.2\.1: this is not an address"),
    ):
        ports.bind()


def test_a_port_that_is_taken_while_it_is_bound_is_named_with_its_flag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By another program, or as here by labgate itself: both are bound, and one listens first."""
    monkeypatch.setattr(port_holder, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        taken = Endpoint(("127.0.0.1",), port_of(free))
    with (
        closing(HubPorts(HubOptions(public=taken, api=taken))) as ports,
        pytest.raises(StartError, match=rf"{taken.port} is taken by .*--api-port\."),
    ):
        ports.bind()


def test_a_socket_that_a_dead_process_left_is_replaced(sockets: Path) -> None:
    path = sockets / "public"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with closing(HubPorts(options(Endpoint((), None, path)))) as ports:
        ports.bind()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert ports.named()[0][0] == f"public:{path}"


def test_a_place_for_no_socket_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "folder"
    with (
        closing(HubPorts(options(Endpoint((), None, path)))) as ports,
        pytest.raises(StartError, match=f"--socket {path}"),
    ):
        ports.bind()

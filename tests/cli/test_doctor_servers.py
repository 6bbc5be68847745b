"""Which servers may stand where nothing answers."""

from __future__ import annotations

import pytest

from proxy.cli.doctor_servers import PROGRAMS, find_program, servers_here
from proxy.symptoms.mends import LINES


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "lab.localhost", "LOCALHOST."])
def test_on_this_machine_what_it_has(host: str) -> None:
    assert servers_here(host, {"caddy", "httpd"}.__contains__) == ("caddy", "apache", "labgate")
    assert servers_here(host, lambda _: False) == ("labgate",)


@pytest.mark.parametrize("host", ["lab.example.org", "203.0.113.7", ""])
def test_elsewhere_anything(host: str) -> None:
    assert servers_here(host, lambda _: True) == ()


def test_the_names_are_those_of_the_mends() -> None:
    assert {*PROGRAMS, "labgate"} <= LINES.keys()


def test_a_program_is_looked_for() -> None:
    assert find_program("sh")
    assert not find_program("no-such-program")

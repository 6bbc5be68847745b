from __future__ import annotations

import pytest

from proxy.check.socket_unit import ports_shown

ACTIVE = "ActiveState=active\nListen=[::]:443 (Stream)\nListen=127.0.0.1:80 (Stream)\n"
SHOWN = [
    pytest.param(ACTIVE, {443, 80}, id="active"),
    pytest.param(ACTIVE.replace("active", "inactive"), set(), id="stopped"),
    pytest.param("ActiveState=inactive\n", set(), id="no such unit"),
    pytest.param("ActiveState=active\nListen=/run/x (Stream)\n", set(), id="no port"),
    pytest.param("", set(), id="nothing"),
]


@pytest.mark.parametrize(("shown", "ports"), SHOWN)
def test_the_ports_of_the_unit(shown: str, ports: set[int]) -> None:
    assert ports_shown(shown) == ports

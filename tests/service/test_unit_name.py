from __future__ import annotations

import pytest

from proxy.service.unit_name import unit_name, unit_of

CGROUPS = [
    ("0::/system.slice/labgate.service\n", "labgate.service"),
    (
        (
            "8:pids:/docker/5f2/system.slice/labgate.service\n"
            "1:name=systemd:/docker/5f2/system.slice/labgate.service\n0::/\n"
        ),
        "labgate.service",
    ),
    (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/lab.service\n",
        "lab.service",
    ),
    ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
    ("0::/\n", ""),
    ("", ""),
]


@pytest.mark.parametrize(("content", "unit"), CGROUPS)
def test_the_innermost_service(content: str, unit: str) -> None:
    assert unit_of(content) == unit


def test_a_program_of_a_session_is_no_service() -> None:
    assert unit_name({}) == ""

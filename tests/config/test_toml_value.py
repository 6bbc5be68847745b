from __future__ import annotations

import tomllib
from ipaddress import ip_network
from pathlib import Path

import pytest

from proxy.config.toml_value import toml_value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        (8443, 8443),
        (2.5, 2.5),
        (1234567.5, 1234567.5),
        (900.0, 900),
        ("1000", "1000"),
        ('a "quoted" ü\n', 'a "quoted" ü\n'),
        (Path("/var/lib/labgate"), "/var/lib/labgate"),
        ((ip_network("10.0.0.0/8"), "::1"), ["10.0.0.0/8", "::1"]),
    ],
)
def test_what_is_written_is_read_again(value: object, read: object) -> None:
    assert tomllib.loads(f"key = {toml_value(value)}") == {"key": read}

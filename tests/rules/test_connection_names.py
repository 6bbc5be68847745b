from __future__ import annotations

import pytest

from proxy.rules.connection_names import ConnectionNames

NAMES = ConnectionNames("lab.example.org", ("www.example.org", "*.example.net"))
WITHOUT_NAME = ConnectionNames("", ("localhost", "127.0.0.1"))

COVERED = [
    (NAMES, b"lab.example.org", True),
    (NAMES, b"www.example.org", True),
    (NAMES, b"a.example.net", True),
    (NAMES, b"example.net", False),
    (NAMES, b"a.b.example.net", False),
    (NAMES, b"*.example.net", True),
    (NAMES, b"other.example.org", False),
    (NAMES, b"", False),
    (NAMES, b"l\xe4b.example.org", False),
    (NAMES, b"192.0.2.1", False),
    (WITHOUT_NAME, b"localhost", True),
    (WITHOUT_NAME, b"lab.example.org", False),
    (WITHOUT_NAME, b"127.0.0.1", True),
    (WITHOUT_NAME, b"192.0.2.1", True),
    (WITHOUT_NAME, b"2001:db8::1", True),
    (WITHOUT_NAME, b"", False),
]


@pytest.mark.parametrize(("names", "host", "covered"), COVERED)
def test_what_a_connection_is_for(names: ConnectionNames, host: bytes, covered: bool) -> None:
    assert names.cover(host) is covered

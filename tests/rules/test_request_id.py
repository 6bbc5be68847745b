"""Whose X-Request-Id is taken, and which."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.rules.networks import NO_NETWORKS, Networks
from proxy.rules.request_id import request_id
from tests.heads import HOST, get

PROXY = Networks([ip_network("203.0.113.7/32")])
"""The peer of ``tests.heads.get``."""

GIVEN = [
    ([b"0af7-65"], b"0af7-65"),
    ([b"01ARZ3NDEKTSV4RRFFQ69G5FAV"], b"01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ([b"Root=1-67891233-abcdef012345678912345678"], b"Root=1-67891233-abcdef012345678912345678"),
    ([b"a" * 128], b"a" * 128),
    ([b"a" * 129], b""),
    ([], b""),
    ([b""], b""),
    ([b"a", b"b"], b""),
    ([b"a b"], b""),
    ([b'a"'], b""),
    ([b"a]"], b""),
    ([b"a\xe9"], b""),
]


@pytest.mark.parametrize(("values", "expected"), GIVEN)
def test_a_trusted_proxy_gives_one_well_formed_name(values: list[bytes], expected: bytes) -> None:
    head = get(HOST, *(b"x-request-ID: " + value for value in values))
    assert request_id(head, PROXY) == expected


def test_nobody_else_gives_one() -> None:
    head = get(HOST, b"X-Request-Id: a")
    assert request_id(head, NO_NETWORKS) == b""
    withheld = replace(head, arrival=replace(head.arrival, client_known=False))
    assert request_id(withheld, PROXY) == b""

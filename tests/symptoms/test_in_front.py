"""What a proxy in front of labgate did to a request is seen in its head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.head import RequestHead
from proxy.symptoms.in_front import in_front
from tests.symptoms.passed import KERNEL, KEY, LOGIN, OWN, SITE, UPGRADE, head

OWN_CALL = ((b"Sec-Fetch-Site", b"same-origin"), (b"Sec-Fetch-Mode", b"cors"))
IN_FRONT = [
    (head("GET /lab"), []),
    (head("GET /api/me", *OWN_CALL, LOGIN), []),
    (head("GET /api/me", *OWN_CALL), ["Cookie"]),
    (head("GET /api/me", *OWN_CALL, (b"Authorization", b"token a")), []),
    (head("POST /api/kernels", *OWN_CALL, LOGIN), ["Origin"]),
    (head("POST /api/kernels", *OWN_CALL, LOGIN, OWN), []),
    (head("POST /api/kernels", OWN, LOGIN, host=b"LAB.example.org"), []),
    (head("POST /api/kernels", OWN, LOGIN, host=b"jupyter:8888"), ["Host"]),
    (head("GET /lab", (b"Referer", b"https://evil.example/"), host=b"jupyter:8888"), []),
    (head(KERNEL, KEY, OWN, LOGIN, host=b"jupyter:8888"), ["Upgrade", "Host"]),
    (
        head(KERNEL, KEY, OWN, LOGIN, (b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")),
        [],
    ),
    (replace(head(KERNEL, KEY, OWN, LOGIN, *UPGRADE), version=(1, 0)), ["Upgrade"]),
    (head(KERNEL, KEY, OWN, LOGIN, (b"Upgrade", b"h2c"), (b"Connection", b"Upgrade")), ["Upgrade"]),
]


@pytest.mark.parametrize(("received", "fields"), IN_FRONT)
def test_what_a_proxy_in_front_did(received: RequestHead, fields: list[str]) -> None:
    assert [found.field for found in in_front(received, SITE)] == fields

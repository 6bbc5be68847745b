"""What Jupyter says it lacks, and labgate sent, a proxy between the two took away."""

from __future__ import annotations

import pytest

from proxy.rules.head import RequestHead
from proxy.symptoms.explain import explain
from tests.symptoms.passed import KERNEL, KEY, LOGIN, OWN, UPGRADE, XSRF, answered, head

WEBSOCKET = head(KERNEL, KEY, *UPGRADE, OWN, LOGIN)
CALL = head("PUT /api/contents/a", OWN, LOGIN, XSRF)
NO_UPGRADE = b'Can "Upgrade" only to "WebSocket".'
NO_CONNECTION = b'"Connection" must be "Upgrade".'
CROSS_ORIGIN = b"Cross origin websockets not allowed"
API_NOT_FOUND = b'{"message": "Not Found", "reason": null}'
NO_FOLDER = b'{"message": "No such directory: no", "reason": null}'
MISSING = b'{"message": "\'_xsrf\' argument missing from PUT", "reason": null}'
DIFFERS = b'{"message": "XSRF cookie does not match POST argument", "reason": null}'
BEHIND = "a proxy between labgate and Jupyter"

TAKEN_AWAY = [
    (WEBSOCKET, 400, NO_UPGRADE, "websocket-not-upgraded", f"labgate sent: {BEHIND} takes it"),
    (WEBSOCKET, 400, NO_CONNECTION, "websocket-not-upgraded", "proxy_http_version 1.1"),
    (WEBSOCKET, 403, CROSS_ORIGIN, "origin-refused", f"{BEHIND} rewrites Host and not Origin"),
    (CALL, 404, API_NOT_FOUND, "origin-refused", "Host 127.0.0.1:8888: a proxy between"),
    (CALL, 403, MISSING, "xsrf-lost", "X-XSRFToken did not arrive, which labgate sent"),
    (CALL, 403, DIFFERS, "cookies-lost", f"{BEHIND} takes Cookie away"),
]


@pytest.mark.parametrize(("received", "status", "content", "symptom", "words"), TAKEN_AWAY)
def test_it_is_named(
    received: RequestHead, status: int, content: bytes, symptom: str, words: str
) -> None:
    told = explain(answered(received, status, content=content))
    assert told is not None
    assert (told.symptom.id, words in told.sentence) == (symptom, True), told.sentence


IN_FRONT = [
    (head(KERNEL, KEY, OWN, LOGIN), 400, NO_UPGRADE, "websocket-not-upgraded"),
    (head("PUT /a", OWN, LOGIN), 403, MISSING, "xsrf-lost"),
    (CALL, 404, NO_FOLDER, "not-found"),
    (head("GET /api/contents/a", OWN, LOGIN), 404, API_NOT_FOUND, "not-found"),
]


@pytest.mark.parametrize(("received", "status", "content", "symptom"), IN_FRONT)
def test_what_labgate_did_not_send_was_lost_elsewhere(
    received: RequestHead, status: int, content: bytes, symptom: str
) -> None:
    told = explain(answered(received, status, content=content))
    assert told is not None
    assert told.symptom.id == symptom
    assert BEHIND not in told.sentence

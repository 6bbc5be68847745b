"""Requests to the CA: nonces, trust, and what its responses mean."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acme import messages

from proxy.app import Application
from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.client import MAX_NONCE_RETRIES, problem_of, retry_after, status_problem
from proxy.certs.acme.problems import ObtainError, Problem
from proxy.config.settings import Settings
from tests.certs.acme.issuance import (
    obtain,
    settings_for,
    through,
)
from tests.certs.acme.scripted_ca import (
    Response,
    ScriptedCa,
    problem,
)
from tests.e2e.programs import free_port
from tests.pebble import pebble

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CERTIFICATES = int(os.environ.get("PEBBLE_CERTIFICATES", "10"))
"""100 take a minute and a half."""


async def test_half_of_all_nonces_rejected(tmp_path: Path) -> None:
    """Every certificate is issued; certbot's library alone gives up after two in a row."""
    http, https = free_port(), free_port()
    hard = {"PEBBLE_WFE_NONCEREJECT": "50"}
    with pebble(tmp_path / "ca", http_port=http, tls_port=https, environment=hard) as (ca, _):
        settings = settings_for(tmp_path / "state", ca, (http, https))
        app = Application(settings, access_log=False, renew=False)
        await app.start()
        try:
            request = certificate_request_of(settings)
            serials = {(await obtain(request)).serial for _ in range(CERTIFICATES)}
        finally:
            await app.stop()
    assert len(serials) == CERTIFICATES


async def test_the_ca_is_not_reached(settings: Settings) -> None:
    request = certificate_request_of(settings)
    nowhere = f"https://localhost:{free_port()}/dir"
    request = replace(request, acme=request.acme.model_copy(update={"directory": nowhere}))
    with pytest.raises(ObtainError, match=r"cannot be reached \(Connection refused"):
        await obtain(request)


async def test_the_ca_is_not_trusted(settings: Settings) -> None:
    request = certificate_request_of(settings)
    request = replace(request, acme=request.acme.model_copy(update={"ca_file": None}))
    with pytest.raises(ObtainError, match=r"not trusted .*acme\.ca_file"):
        await obtain(request)


async def test_no_directory(settings: Settings) -> None:
    request = certificate_request_of(settings)
    wrong = request.acme.directory.replace("/dir", "/nothing")
    request = replace(request, acme=request.acme.model_copy(update={"directory": wrong}))
    with pytest.raises(ObtainError, match=r"is not an ACME directory \(.*404"):
        await obtain(request)


async def test_a_ca_file_that_is_none(settings: Settings, tmp_path: Path) -> None:
    request = certificate_request_of(settings)
    missing = request.acme.model_copy(update={"ca_file": tmp_path / "missing.pem"})
    with pytest.raises(ObtainError, match=r"acme\.ca_file .*No such file"):
        await obtain(replace(request, acme=missing))
    (tmp_path / "missing.pem").write_text("nothing")
    with pytest.raises(ObtainError, match="no PEM certificates"):
        await obtain(replace(request, acme=missing))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("120", NOW + timedelta(minutes=2)),
        (" 0 ", NOW),
        ("Thu, 01 Jan 2026 13:00:00 GMT", NOW + timedelta(hours=1)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 30, NOW + timedelta(seconds=10**8)),
    ],
)
def test_retry_after(field: str, expected: datetime | None) -> None:
    assert retry_after(field, NOW) == expected


def test_problems_within_a_problem() -> None:
    error = messages.Error.from_json(
        {
            "type": "urn:ietf:params:acme:error:compound",
            "detail": "several",
            "subproblems": [
                {
                    "type": "urn:ietf:params:acme:error:caa",
                    "detail": "forbidden",
                    "identifier": {"type": "dns", "value": "a.example"},
                }
            ],
        }
    )
    assert problem_of(error) == Problem("caa", "forbidden", "a.example")


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rateLimited"), (503, "serverInternal"), (404, "malformed")]
)
def test_an_answer_without_a_problem(status: int, code: str) -> None:
    assert status_problem(status) == Problem(code, f"HTTP {status}")


async def test_how_often_a_rejected_nonce_is_replaced(
    scripted: ScriptedCa, settings: Settings
) -> None:
    """As often as the constant says, and no more."""
    rejections = MAX_NONCE_RETRIES

    def new_order(_: Any) -> Response:
        if len(scripted.requests) <= rejections:
            return problem(400, "badNonce", "used before", Replay_Nonce="bm9uY2U")
        return problem(403, "caa", "the nonce was good")

    scripted.resources["newOrder"] = new_order
    with pytest.raises(ObtainError, match="the nonce was good"):
        await obtain(through(scripted, settings))
    scripted.requests.clear()
    rejections += 1
    with pytest.raises(ObtainError, match="rejected every nonce"):
        await obtain(through(scripted, settings))
    assert len(scripted.requests) == MAX_NONCE_RETRIES + 1

"""The CA's renewal windows (RFC 9773): asked for, obeyed, saved."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.app import Application
from proxy.certs.acme.maintain import Renewer
from proxy.certs.acme.problems import ObtainError
from proxy.certs.acme.renewal_info import (
    RenewalInfo,
    certificate_id,
    update_renewal_info,
    with_renewal_info,
)
from proxy.certs.acme.renewal_state import RenewalState
from proxy.certs.acme.schedule import RenewalWindow
from proxy.certs.acme.storage import storage_of
from proxy.config.settings import Settings
from tests.certs.acme.issuance import (
    obtain,
    through,
    until_true,
)
from tests.certs.acme.scripted_ca import (
    Response,
    ScriptedCa,
    problem,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def leaf(serial: int, key_identifier: bytes | None) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=90))
    )
    if key_identifier is not None:
        extension = x509.AuthorityKeyIdentifier(key_identifier, None, None)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, SHA256())


def test_a_certificates_id() -> None:
    """RFC 9773's own example (section 4.1 and appendix A)."""
    identifier = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    assert certificate_id(leaf(0x87654321, identifier)) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
    assert certificate_id(leaf(0x7F, b"\x00")) == "AA.fw"
    assert certificate_id(leaf(0x80, b"\x00")) == "AA.AIA"
    assert certificate_id(leaf(1, None)) == ""


def test_a_renewal_window_is_saved() -> None:
    window = RenewalWindow(NOW, NOW + timedelta(days=1))
    state = with_renewal_info(
        RenewalState(0.5), "0A", RenewalInfo(window, NOW + timedelta(hours=3)), NOW
    )
    assert state.window("0A") == window
    assert state.window("0B") is None, "it was about another certificate"
    assert state.ask_at == NOW + timedelta(hours=3)
    silent = with_renewal_info(state, "0A", None, NOW)
    assert silent.window("0A") == window, "no answer takes nothing back"
    assert silent.ask_at == NOW + timedelta(hours=6)
    other = with_renewal_info(state, "0B", None, NOW)
    assert (other.serial, other.window("0B")) == ("0B", None)


@pytest.mark.parametrize(
    "content", [[], "text", {}, {"suggestedWindow": {}}, {"suggestedWindow": {"start": "x"}}]
)
async def test_a_renewal_window_that_makes_no_sense(
    scripted: ScriptedCa, labgate: Application, settings: Settings, content: Any
) -> None:
    request = through(scripted, settings)
    pair = await obtain(request)
    scripted.resources["renewalInfo"] = lambda _: Response(200, content)
    update_renewal_info(request, pair, threading.Event())
    state = storage_of(request).load_state()
    assert state.window(pair.serial) is None
    assert state.ask_at is not None
    assert state.ask_at > datetime.now(UTC)


async def test_a_renewal_in_the_suggested_window(
    scripted: ScriptedCa, labgate: Application, settings: Settings
) -> None:
    """Asked for by the certificate's ID; an order then says what it replaces."""
    start = datetime.now(UTC) + timedelta(days=3)
    window = {
        "start": start.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "end": (start + timedelta(days=2)).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    scripted.resources["renewalInfo"] = lambda _: Response(
        200, {"suggestedWindow": window}, {"Retry-After": "21600"}
    )
    assert labgate.certificates is not None
    request = through(scripted, settings)
    pair = await obtain(request)
    labgate.certificates.reload()
    renewing = asyncio.ensure_future(Renewer(request, labgate.certificates).run())
    managed = labgate.certificates.managed[0]
    await until_true(lambda: managed.next_renewal, "no next renewal reported")
    assert managed.next_renewal is not None
    assert start - timedelta(seconds=1) <= managed.next_renewal <= start + timedelta(days=2)
    renewing.cancel()
    ((path, _),) = scripted.requests
    known = path.removeprefix("renewalInfo/")
    assert known.count(".") == 1

    scripted.requests.clear()
    orders = [problem(409, "alreadyReplaced", "done"), problem(429, "rateLimited", "enough")]
    scripted.resources["newOrder"] = lambda _: orders.pop(0)
    with pytest.raises(ObtainError, match="rate limit"):
        await obtain(request)
    replaced = [payload.get("replaces") for _, payload in scripted.requests]
    assert replaced == [known, None]
    assert storage_of(request).installed_pair() == pair

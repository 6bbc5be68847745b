"""The small words of the protocol: Retry-After, problem documents, a certificate's ID."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from acme import messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from proxy.certs.acme.client import problem_of, retry_after, status_problem
from proxy.certs.acme.problems import Problem
from proxy.certs.acme.renewal_info import RenewalInfo, certificate_id, with_renewal_info
from proxy.certs.acme.renewal_state import RenewalState
from proxy.certs.acme.schedule import RenewalWindow

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


def test_a_suggestion_is_remembered() -> None:
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

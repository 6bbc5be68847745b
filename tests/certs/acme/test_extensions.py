"""Messages that certbot's library lacks, as they go over the wire."""

from __future__ import annotations

import pytest
from acme import messages
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64encode
from josepy.jwk import JWKEC

from proxy.certs.acme.extensions import NewOrder, TlsAlpn01, identifier, is_supported


def challenge(kind: str) -> messages.ChallengeBody:
    token = b64encode(bytes(32)).decode("ascii")
    content = {"type": kind, "url": "https://ca.example/1", "status": "pending", "token": token}
    body: messages.ChallengeBody = messages.ChallengeBody.from_json(content)
    return body


@pytest.mark.parametrize(
    ("kind", "supported"),
    [("http-01", True), ("tls-alpn-01", True), ("dns-persist-01", False), ("somethingNew", False)],
)
def test_challenges_that_can_be_answered(kind: str, supported: bool) -> None:
    assert is_supported(challenge(kind)) is supported


def test_tls_alpn() -> None:
    """Its response is empty (RFC 8737 section 3), its proof a key authorization."""
    found = challenge("tls-alpn-01").chall
    assert isinstance(found, TlsAlpn01)
    key = JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
    assert found.response(key).to_json() == {}
    assert (
        found.key_authorization(key)
        == f"{found.encode('token')}.{b64encode(key.thumbprint()).decode()}"
    )


def test_an_order_names_what_it_replaces() -> None:
    names = [identifier("a.example"), identifier("192.0.2.7"), identifier("2001:db8::7")]
    plain = NewOrder(identifiers=names).to_json()
    assert plain["identifiers"] == [
        {"type": "dns", "value": "a.example"},
        {"type": "ip", "value": "192.0.2.7"},
        {"type": "ip", "value": "2001:db8::7"},
    ]
    assert "replaces" not in plain
    assert NewOrder(identifiers=names, replaces="AA.fw").to_json()["replaces"] == "AA.fw"

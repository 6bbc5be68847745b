"""ACME messages that certbot's library lacks: TLS-ALPN-01 (RFC 8737), ``replaces`` (RFC 9773)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from acme import challenges, messages
from josepy.json_util import field
from josepy.jwk import JWK


@challenges.ChallengeResponse.register
class TlsAlpn01Response(challenges.KeyAuthorizationChallengeResponse):
    """The response to TLS-ALPN-01 (RFC 8737), which certbot's library no longer has."""

    typ = "tls-alpn-01"


@challenges.Challenge.register
class TlsAlpn01(challenges.KeyAuthorizationChallenge):
    """The challenge TLS-ALPN-01; the TLS handshake holds the proof, not this message."""

    response_cls = TlsAlpn01Response
    typ = TlsAlpn01Response.typ

    def validation(self, account_key: JWK, **_: Any) -> str:
        return self.key_authorization(account_key)


class NewOrder(messages.NewOrder):
    """An order that says which certificate it replaces (RFC 9773 section 5)."""

    replaces: str | None = field("replaces", omitempty=True)


def identifier(name: str) -> messages.Identifier:
    """The identifier of a DNS name or an address (RFC 8738)."""
    try:
        ip_address(name)
    except ValueError:
        return messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name)
    return messages.Identifier(typ=messages.IDENTIFIER_IP, value=name)


def is_supported(challenge: messages.ChallengeBody) -> bool:
    """Whether the proof of the challenge is a key authorization: labgate publishes no others."""
    return isinstance(challenge.chall, challenges.KeyAuthorizationChallenge)

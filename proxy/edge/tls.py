"""TLS at the edge: Mozilla's intermediate profile, the certificate chosen by SNI."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from proxy.certs.files import CertificatePair

CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""Mozilla's server-side TLS guidelines, intermediate, for TLS 1.2; 1.3 has its own."""


def server_context(pairs: Sequence[CertificatePair]) -> ssl.SSLContext:
    """One context that serves every pair; a name no pair covers gets the first."""
    contexts = [_context(pair) for pair in pairs]
    by_name: dict[str, ssl.SSLContext] = {}
    for pair, context in zip(pairs, contexts, strict=True):
        for name in pair.names:
            by_name.setdefault(name, context)

    def choose(sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name:
            chosen = by_name.get(name.lower()) or by_name.get(_wildcard(name.lower()))
            if chosen is not None:
                sock.context = chosen

    if len(contexts) > 1:
        contexts[0].sni_callback = choose
    return contexts[0]


def _context(pair: CertificatePair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # The profile allows X25519, P-256 and P-384. Python before 3.15 can name one curve
    # only, and its default adds two that the profile does not have: P-256 is the one
    # that every client speaks.
    context.set_ecdh_curve("prime256v1")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(pair.cert, pair.key)
    return context


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]

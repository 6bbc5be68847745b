"""One certificate for every peer: ECDSA P-256, TLS 1.3, the same curve."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

CURVE = "prime256v1"


@dataclass(frozen=True)
class Certificate:
    """The files the proxies read, and the client's context."""

    chain: Path
    key: Path
    both: Path
    client: ssl.SSLContext


def make_certificate(folder: Path) -> Certificate:
    """A new authority and a leaf for localhost; trustme's keys are P-256."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    chain, key, both = folder / "chain.pem", folder / "key.pem", folder / "both.pem"
    for part in leaf.cert_chain_pems:
        part.write_to_path(chain, append=True)
    leaf.private_key_pem.write_to_path(key)
    leaf.private_key_and_cert_chain_pem.write_to_path(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Another curve first would cost every peer that does not have it a round trip.
    context.set_ecdh_curve(CURVE)
    context.set_alpn_protocols(["http/1.1"])
    authority.configure_trust(context)
    return Certificate(chain, key, both, context)

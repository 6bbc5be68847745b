"""When the CA would like a certificate to be renewed: ACME Renewal Information (RFC 9773)."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from acme import client, messages
from cryptography import x509

from proxy.certs.files import CertificatePair

from .client import Network
from .problems import quoted
from .renewal_state import Memory
from .schedule import Window

log = logging.getLogger("labgate")

ASK_AGAIN = timedelta(hours=6)
"""Where the CA does not say (RFC 9773 section 4.3.3)."""

SOONEST, LATEST = timedelta(minutes=10), timedelta(days=1)
"""Limits to what the CA says (section 4.3.2)."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the CA said about one certificate."""

    window: Window
    ask_at: datetime


def certificate_id(leaf: x509.Certificate) -> str:
    """What the CA knows a certificate by (RFC 9773 section 4.1); empty without a key identifier."""
    try:
        authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    if authority.key_identifier is None:
        return ""
    # The serial number as DER has it: with a leading zero where the first bit is set.
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return f"{_base64url(authority.key_identifier)}.{_base64url(serial)}"


def replaces(acme: client.ClientV2, pair: CertificatePair | None) -> str:
    """What an order says it replaces (section 5); empty where the CA does not want to know."""
    if pair is None or "renewalInfo" not in acme.directory.to_partial_json():
        return ""
    return certificate_id(leaf_of(pair))


def leaf_of(pair: CertificatePair) -> x509.Certificate:
    """The pair's first certificate, read again.

    Raises:
        OSError: It cannot be.
    """
    return x509.load_pem_x509_certificate(pair.cert.read_bytes())


def ask(
    acme: client.ClientV2, network: Network, pair: CertificatePair, now: datetime
) -> Suggestion | None:
    """Ask the CA about the pair; None when it makes no suggestions or not about this one.

    Raises:
        messages.Error: The CA refuses to answer.
        ObtainError: It cannot be reached.
    """
    known = replaces(acme, pair)
    if not known:
        return None
    address = f"{str(acme.directory['renewalInfo']).rstrip('/')}/{known}"
    content = network.get(address).json()
    window = messages.RenewalInfo.from_json(content).suggested_window
    if window.end < window.start:
        return None
    if explanation := content.get("explanationURL"):
        log.info("The CA explains when it wants a renewal: %s", quoted(str(explanation)))
    pause = (network.retry_at - now) if network.retry_at else ASK_AGAIN
    return Suggestion(Window(window.start, window.end), now + min(max(pause, SOONEST), LATEST))


def remembered(memory: Memory, serial: str, suggestion: Suggestion | None, now: datetime) -> Memory:
    """The memory with what the CA said, or with that it said nothing."""
    if suggestion is None:
        window = memory.window(serial)
        start, end = (window.start, window.end) if window else (None, None)
        ask_at = now + ASK_AGAIN
    else:
        start, end, ask_at = suggestion.window.start, suggestion.window.end, suggestion.ask_at
    return replace(memory, serial=serial, window_start=start, window_end=end, ask_at=ask_at)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")

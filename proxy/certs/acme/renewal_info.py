"""When the CA suggests a renewal: ACME Renewal Information (RFC 9773)."""

from __future__ import annotations

import logging
import threading
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from acme import client, messages
from cryptography import x509

from proxy.certs.files import CertificatePair

from .account import Account
from .certificate_request import CertificateRequest
from .client import AcmeHttpClient, Stopped, connect_to_ca
from .problems import explain_files, sanitized
from .renewal_state import RenewalState
from .schedule import RenewalWindow
from .storage import storage_of

log = logging.getLogger("labgate")

DEFAULT_QUERY_INTERVAL = timedelta(hours=6)
"""Without a Retry-After (RFC 9773 section 4.3.3)."""

MIN_QUERY_INTERVAL, MAX_QUERY_INTERVAL = timedelta(minutes=10), timedelta(days=1)
"""Limits to the CA's Retry-After (section 4.3.2)."""


@dataclass(frozen=True, slots=True)
class RenewalInfo:
    """What the CA said about one certificate.

    Attributes:
        window: When it should be renewed.
        ask_at: When to ask the CA again (UTC).
    """

    window: RenewalWindow
    ask_at: datetime


def certificate_id(leaf: x509.Certificate) -> str:
    """The certificate's ID (RFC 9773 section 4.1); empty if it has no key identifier."""
    try:
        authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    if authority.key_identifier is None:
        return ""
    # As in DER: with a leading zero octet if the first bit is set.
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return f"{_base64url(authority.key_identifier)}.{_base64url(serial)}"


def replaced_certificate_id(acme: client.ClientV2, pair: CertificatePair | None) -> str:
    """The ID for an order's ``replaces`` (section 5); empty if the CA does not support it."""
    if pair is None or "renewalInfo" not in acme.directory.to_partial_json():
        return ""
    return certificate_id(leaf_of(pair))


def leaf_of(pair: CertificatePair) -> x509.Certificate:
    """Read the pair's first certificate.

    Raises:
        OSError: It cannot be read.
    """
    return x509.load_pem_x509_certificate(pair.cert.read_bytes())


def fetch_renewal_info(
    acme: client.ClientV2, http: AcmeHttpClient, pair: CertificatePair, now: datetime
) -> RenewalInfo | None:
    """Ask the CA about the pair; None if it makes no suggestion.

    Raises:
        messages.Error: The CA refuses to answer.
        ObtainError: It cannot be reached.
    """
    identifier = replaced_certificate_id(acme, pair)
    if not identifier:
        return None
    address = f"{str(acme.directory['renewalInfo']).rstrip('/')}/{identifier}"
    content = http.get(address).json()
    window = messages.RenewalInfo.from_json(content).suggested_window
    if window.end < window.start:
        return None
    if explanation := content.get("explanationURL"):
        log.info("The CA explains when it wants a renewal: %s", sanitized(str(explanation)))
    interval = (http.retry_at - now) if http.retry_at else DEFAULT_QUERY_INTERVAL
    return RenewalInfo(
        RenewalWindow(window.start, window.end),
        now + min(max(interval, MIN_QUERY_INTERVAL), MAX_QUERY_INTERVAL),
    )


def update_renewal_info(
    request: CertificateRequest, pair: CertificatePair, stop: threading.Event
) -> None:
    """Ask the CA when to renew, and save its answer. The caller holds the storage's lock.

    Without an answer the schedule goes by the certificate's lifetime.

    Raises:
        Stopped: ``stop`` was set.
    """
    storage, now = storage_of(request), datetime.now(UTC)
    state, info = storage.load_state(), None
    try:
        account = Account(request.state_folder, request.acme)
        http = AcmeHttpClient(account.key, request.acme.directory, request.acme.ca_file, stop)
        try:
            info = fetch_renewal_info(connect_to_ca(http, request.acme.directory), http, pair, now)
        finally:
            http.close()
    except Stopped:
        raise
    except Exception as error:
        log.info("The CA does not say when it would like a renewal: %s", sanitized(str(error)))
    try:
        storage.save_state(with_renewal_info(state, pair.serial, info, now))
    except OSError as error:
        log.warning("%s", explain_files(request.state_folder, error))


def with_renewal_info(
    state: RenewalState, serial: str, info: RenewalInfo | None, now: datetime
) -> RenewalState:
    """Record the CA's answer about the certificate; without one (None) keep its last."""
    if info is None:
        window = state.window(serial)
        start, end = (window.start, window.end) if window else (None, None)
        ask_at = now + DEFAULT_QUERY_INTERVAL
    else:
        start, end, ask_at = info.window.start, info.window.end, info.ask_at
    return replace(state, serial=serial, window_start=start, window_end=end, ask_at=ask_at)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")

"""Certificate pairs on disk, checked before they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from proxy.errors import StartError

LETSENCRYPT = Path("/etc/letsencrypt/live")


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its private key.

    Attributes:
        cert: PEM file, leaf first, then the intermediates.
        key: PEM file.
        names: DNS names and IP addresses the leaf is for, lower-case.
        not_after: When it expires (UTC).
    """

    cert: Path
    key: Path
    names: tuple[str, ...]
    not_after: datetime

    def covers(self, host: str) -> bool:
        """Whether a browser accepts the leaf for ``host`` (RFC 9525 section 6.3)."""
        wildcard = "*." + host.partition(".")[2]
        return host in self.names or wildcard in self.names


def letsencrypt_pair(domain: str) -> tuple[Path, Path]:
    """Where certbot keeps the pair of ``domain``."""
    folder = LETSENCRYPT / domain
    return folder / "fullchain.pem", folder / "privkey.pem"


def load_pairs(files: Sequence[tuple[Path, Path]], hosts: Sequence[str]) -> list[CertificatePair]:
    """Load every pair, and make sure that every host has one.

    Raises:
        StartError: For the first file that is missing, unreadable, malformed, expired or
            not the other's match, or the first host no certificate is for.
    """
    pairs = [load_pair(cert, key) for cert, key in files]
    for host in hosts:
        if not any(pair.covers(host) for pair in pairs):
            named = ", ".join(name for pair in pairs for name in pair.names)
            raise StartError(
                f"No certificate is for {host}: {', '.join(str(pair.cert) for pair in pairs)} "
                f"names {named}. Obtain one (`certbot certonly -d {host}`) or give it "
                "with --cert and --key."
            )
    return pairs


def load_pair(cert: Path, key: Path, now: datetime | None = None) -> CertificatePair:
    """Load and check one pair.

    Raises:
        StartError: Naming the file and the mend.
    """
    chain_text, key_text = _read(cert, "certificate"), _read(key, "private key")
    try:
        leaf = x509.load_pem_x509_certificates(chain_text)[0]
    except ValueError:
        raise StartError(
            f"{cert} is not a PEM certificate. Give the full chain (certbot: fullchain.pem)."
        ) from None
    try:
        private = load_pem_private_key(key_text, None)
    except TypeError:
        raise StartError(
            f"{key} is protected by a passphrase, which nobody is there to type. "
            "Store it without one, readable by labgate alone."
        ) from None
    except ValueError:
        raise StartError(f"{key} is not a PEM private key (certbot: privkey.pem).") from None
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*spki) != private.public_key().public_bytes(*spki):
        raise StartError(
            f"{cert} and {key} do not belong together: the key is another certificate's. "
            "Give both files of one pair."
        )
    expiry = leaf.not_valid_after_utc
    if expiry <= (now or datetime.now(UTC)):
        raise StartError(
            f"{cert} expired on {expiry:%Y-%m-%d}. Renew it (`certbot renew`), then start again."
        )
    return CertificatePair(cert, key, _names(leaf), expiry)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        mend = "Name the right file with --cert and --key"
        if path.is_relative_to(LETSENCRYPT):
            mend = f"Obtain it with `certbot certonly -d {path.parent.name}`, or name another"
            mend += " pair with --cert and --key"
        raise StartError(f"There is no {what} at {path}. {mend}.") from None
    except PermissionError:
        raise StartError(
            f"The {what} {path} may not be read by this user. Start labgate as root or as the "
            "systemd service (config/labgate.service), or hand it over with LoadCredential."
        ) from None
    except OSError as error:
        raise StartError(f"The {what} {path} cannot be read: {error.strerror}.") from None


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(name.lower() for name in names) + tuple(str(address) for address in addresses)

"""Certificate pairs on disk, checked before they are used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from proxy.config.addresses import is_address, is_public_name
from proxy.errors import StartError
from proxy.runtime.owners import ROOT_UID, owner_and_mode, this_user

LETSENCRYPT = Path("/etc/letsencrypt/live")

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its private key.

    Attributes:
        cert: PEM file, leaf first, then the intermediates.
        key: PEM file.
        names: DNS names and IP addresses in the leaf, lower-case.
        chain_length: How many certificates the chain has.
        issuer: Its organization and common name.
        serial: Its serial number in hexadecimal, as ``openssl x509 -serial`` prints it.
        not_before: When it becomes valid (UTC).
        not_after: When it expires (UTC).
    """

    cert: Path
    key: Path
    names: tuple[str, ...]
    chain_length: int
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime

    def covers(self, host: str) -> bool:
        """Whether a browser accepts the leaf for ``host`` (RFC 9525 section 6.3)."""
        wildcard = "*." + host.partition(".")[2]
        return host in self.names or wildcard in self.names


def letsencrypt_pair(domain: str) -> tuple[Path, Path]:
    """Certbot's files for ``domain``: certificate and key."""
    folder = LETSENCRYPT / domain
    return folder / "fullchain.pem", folder / "privkey.pem"


def acme_pair(state_folder: Path, first_name: str) -> tuple[Path, Path]:
    """The files of the certificate that labgate obtains by ACME: certificate and key."""
    folder = state_folder / "certificates" / first_name
    return folder / "fullchain.pem", folder / "privkey.pem"


def check_covered(
    pairs: Sequence[CertificatePair],
    hosts: Sequence[str],
    key_of_host: Callable[[str], str] = lambda _host: "site.domains",
) -> None:
    """Make sure that every host has a certificate.

    Args:
        pairs: The certificates.
        hosts: The names.
        key_of_host: The key of the configuration that has a name, for the message.

    Raises:
        StartError: Naming the first host that has none, and the remedy.
    """
    for host in hosts:
        if not any(pair.covers(host) for pair in pairs):
            named = ", ".join(name for pair in pairs for name in pair.names)
            obtain = (
                f"Obtain one (`labgate cert obtain`, or `certbot certonly -d {host}`), or give it"
                if is_public_name(host)
                else "No public CA certifies such a name; give a certificate of your own"
            )
            files = ", ".join(str(pair.cert) for pair in pairs)
            raise StartError(
                f"No certificate is for {host} ({key_of_host(host)}): {files} "
                f"names {named}. {obtain} with --cert and --key."
            )


def load_pair(cert: Path, key: Path, now: datetime | None = None) -> CertificatePair:
    """Load and check one pair.

    Raises:
        StartError: Naming the file and the remedy.
    """
    return check_pair(cert, key, *read_pair(cert, key), now)


def read_pair(cert: Path, key: Path) -> tuple[bytes, bytes]:
    """Read both files.

    Raises:
        StartError: One is missing or may not be read, with the remedy.
    """
    return _read(cert, "certificate"), _read(key, "private key")


def check_pair(
    cert: Path,
    key: Path,
    chain_text: bytes,
    key_text: bytes,
    now: datetime | None = None,
    *,
    passphrase: str = "",
) -> CertificatePair:
    """Check the content of a pair's files.

    Raises:
        StartError: Naming the file and the remedy.
    """
    try:
        chain = x509.load_pem_x509_certificates(chain_text)
        leaf = chain[0]
        names, leaf_key = _names(leaf), leaf.public_key().public_bytes(*_SPKI)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise StartError(
            f"{cert} is not a PEM certificate. Give the full chain (certbot: fullchain.pem)."
        ) from None
    if chain_text.count(_BEGIN) != len(chain):
        raise StartError(f"{cert} ends within a certificate. Write it again, the whole chain.")
    try:
        private = load_pem_private_key(key_text, passphrase.encode("utf-8") or None)
    except TypeError:
        if passphrase:
            raise StartError(
                f"{key} is not protected by a passphrase, and one was given. Leave it out."
            ) from None
        raise StartError(
            f"{key} is protected by a passphrase, which nobody is there to type. "
            "Store it without one, readable by labgate alone."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartError(f"{key} is not a PEM private key (certbot: privkey.pem).") from None
    if leaf_key != private.public_key().public_bytes(*_SPKI):
        raise StartError(
            f"{cert} and {key} do not belong together: the key is another certificate's. "
            "Give both files of one pair."
        )
    expiry = leaf.not_valid_after_utc
    if expiry <= (now or datetime.now(UTC)):
        raise StartError(f"{cert} expired on {expiry:%Y-%m-%d}. Renew it (`certbot renew`).")
    serial = f"{leaf.serial_number:X}"
    return CertificatePair(
        cert,
        key,
        names,
        len(chain),
        _issuer_name(leaf.issuer),
        serial if len(serial) % 2 == 0 else "0" + serial,
        leaf.not_valid_before_utc,
        expiry,
    )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StartError(f"There is no {what} at {path}. {_remedy(path)}.") from None
    except PermissionError:
        if os.geteuid() == ROOT_UID:
            remedy = f"Give it to root (`chown root {path}`)"
        else:
            remedy = "Start labgate as root or as the systemd service (`labgate install-service`)"
        raise StartError(
            f"The {what} {path} may not be read by {this_user()}: it {owner_and_mode(path)}. "
            f"{remedy}, or hand it over with LoadCredential."
        ) from None
    except OSError as error:
        raise StartError(
            f"The {what} {path} cannot be read: {error.strerror}. {_remedy(path)}."
        ) from None


def _remedy(missing: Path) -> str:
    if not missing.is_relative_to(LETSENCRYPT):
        return "Name the right file with --cert and --key"
    if is_address(name := missing.parent.name):
        return (
            f"{name} is an address, and an address needs a certificate of your own: name it with "
            "--cert and --key; or serve a name with --domain"
        )
    if not is_public_name(name):
        return (
            f"{name} is no name of the internet, and no public CA certifies it: name a certificate "
            "of your own with --cert and --key; or use localhost, which needs none"
        )
    return (
        "With --email YOU@EXAMPLE.ORG labgate obtains one by itself; or use `certbot certonly -d "
        f"{name}`, or name another pair with --cert and --key"
    )


def _issuer_name(issuer: x509.Name) -> str:
    """``Let's Encrypt R11``: the organization and the common name, or what there is."""
    parts = []
    for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        parts += [str(found.value) for found in issuer.get_attributes_for_oid(kind)][:1]
    return " ".join(parts) or issuer.rfc4514_string()


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(name.lower() for name in names) + tuple(str(address) for address in addresses)

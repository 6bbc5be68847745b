"""Proofs for the CA, in a folder that every labgate of this state folder answers from.

``<state>/challenges/`` holds a file for each proof that is awaited: a token (HTTP-01, RFC
8555 section 8.3) with its key authorization, or ``NAME.alpn.pem`` (TLS-ALPN-01, RFC 8737)
with the certificate that a handshake is to get. Files, because the CA's request may reach
any of several workers, and because `labgate cert renew` may ask while labgate runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ObjectIdentifier

from proxy.edge.tls import ACME_TLS
from proxy.runtime.secret_files import make_private_folder, write_atomically

log = logging.getLogger("labgate")

LOOK_SECONDS = 1.0
NOTICED_SECONDS = 2.5
"""After so long every labgate has seen a new ``.alpn.pem``."""

STALE_SECONDS = 3600.0
"""A file older than this was left by somebody who was killed."""

_SUFFIX = ".alpn.pem"
_ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def challenge_folder(state_folder: Path) -> Path:
    """Where proofs are published."""
    return state_folder / "challenges"


class Proofs:
    """Publishes proofs, and takes them away again."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = challenge_folder(state_folder)
        self._published: list[Path] = []

    def publish_http(self, token: str, key_authorization: str) -> None:
        """Answer HTTP-01 for ``token``.

        Raises:
            ValueError: It is no token.
            OSError: It cannot be written.
        """
        if not _TOKEN.fullmatch(token):
            message = f"{token!r} is not a token: RFC 8555 section 8.3 wants base64url"
            raise ValueError(message)
        self._write(token, key_authorization.encode("ascii"))

    def publish_alpn(self, name: str, key_authorization: str) -> None:
        """Answer TLS-ALPN-01 for ``name``, from ``NOTICED_SECONDS`` on.

        Raises:
            OSError: It cannot be written.
        """
        self._write(server_name(name) + _SUFFIX, _certificate(name, key_authorization))

    def withdraw(self) -> None:
        """Answer none of these any more."""
        for file in self._published:
            file.unlink(missing_ok=True)
        self._published.clear()

    def _write(self, name: str, content: bytes) -> None:
        make_private_folder(self._folder)
        for file in self._folder.iterdir():
            # Somebody else may withdraw theirs at this moment.
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    file.unlink()
        file = self._folder / name
        write_atomically(file, content)
        self._published.append(file)


class AlpnAnswers:
    """Gives what is published for TLS-ALPN-01 to the handshakes of this process."""

    def __init__(
        self, state_folder: Path, challenge: Callable[[str, ssl.SSLContext | None], None]
    ) -> None:
        self._folder = challenge_folder(state_folder)
        self._challenge = challenge
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self) -> None:
        """See what was published and withdrawn since the last look."""
        found: dict[str, tuple[int, int]] = {}
        with suppress(OSError), os.scandir(self._folder) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    if file.name.endswith(_SUFFIX):
                        stat = file.stat()
                        found[file.name] = stat.st_ino, stat.st_mtime_ns
        for name in self._seen.keys() - found.keys():
            self._challenge(name.removesuffix(_SUFFIX), None)
        for name, version in found.items():
            if self._seen.get(name) != version:
                self._take(name)
        self._seen = found

    async def run(self) -> None:
        """Look again and again, until cancelled. A look at nothing costs microseconds."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def _take(self, name: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([ACME_TLS.decode("ascii")])
        try:
            context.load_cert_chain(self._folder / name)
        except OSError as error:
            log.warning("The challenge %s cannot be used: %s.", self._folder / name, error)
            return
        self._challenge(name.removesuffix(_SUFFIX), context)


def server_name(name: str) -> str:
    """What the CA puts into SNI: the name, or an address's reverse name (RFC 8738)."""
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        return name


def _certificate(name: str, key_authorization: str) -> bytes:
    """A self-signed certificate and its key, as RFC 8737 section 3 wants it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    now = datetime.now(UTC)
    digest = sha256(key_authorization.encode("ascii")).digest()
    try:
        san: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        san = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([san]), critical=True)
        # An OCTET STRING (4) of 32 bytes.
        .add_extension(x509.UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + digest), True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private

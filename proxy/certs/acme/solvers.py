"""Solves the CA's challenges: publishes proofs, and answers TLS-ALPN-01 handshakes with them.

``<state>/challenges/`` holds a file for each pending challenge: named by its token, with the
key authorization (HTTP-01, RFC 8555 section 8.3), or ``NAME.alpn.pem``, with the certificate
for the handshake (TLS-ALPN-01, RFC 8737). They are files because the CA may connect to any
worker, and because `labgate cert renew` may publish while another labgate serves.
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
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography.x509 import ObjectIdentifier, UnrecognizedExtension

from proxy.certs.x509 import self_signed
from proxy.runtime.secret_files import make_private_folder, write_atomically
from proxy.tls.context import ACME_TLS

log = logging.getLogger("labgate")

SCAN_SECONDS = 1.0
PROPAGATION_SECONDS = 2.5
"""By then every process with this state folder has loaded a new ``.alpn.pem``."""

STALE_CHALLENGE_SECONDS = 3600.0
"""An older file was left behind by a process that was killed."""

CHALLENGE_LIFETIME = timedelta(days=1)

_SUFFIX = ".alpn.pem"
_ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def challenge_folder(state_folder: Path) -> Path:
    """Where proofs are published."""
    return state_folder / "challenges"


class ChallengeSolver:
    """Publishes proofs of control for the CA, and removes them afterwards."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = challenge_folder(state_folder)
        self._published: list[Path] = []

    def present_http(self, token: str, key_authorization: str) -> None:
        """Answer HTTP-01 for ``token``.

        Raises:
            ValueError: It is no token.
            OSError: The proof cannot be written.
        """
        if not _TOKEN.fullmatch(token):
            message = f"{token!r} is not a token: RFC 8555 section 8.3 wants base64url"
            raise ValueError(message)
        self._write(token, key_authorization.encode("ascii"))

    def present_tls_alpn(self, name: str, key_authorization: str) -> None:
        """Answer TLS-ALPN-01 for ``name``, in every process after ``PROPAGATION_SECONDS``.

        Raises:
            OSError: The proof cannot be written.
        """
        self._write(server_name(name) + _SUFFIX, _challenge_certificate(name, key_authorization))

    def clean_up(self) -> None:
        """Remove every proof that this solver has published."""
        for file in self._published:
            file.unlink(missing_ok=True)
        self._published.clear()

    def _write(self, name: str, content: bytes) -> None:
        make_private_folder(self._folder)
        for file in self._folder.iterdir():
            # Another process may remove its files at this moment.
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > STALE_CHALLENGE_SECONDS:
                    file.unlink()
        file = self._folder / name
        write_atomically(file, content)
        self._published.append(file)


class TlsAlpnResponder:
    """Answers this process' handshakes with the published TLS-ALPN-01 certificates.

    Args:
        state_folder: Of all processes that publish.
        set_challenge: Called with a server name and its context, or None to end it.
    """

    def __init__(
        self, state_folder: Path, set_challenge: Callable[[str, ssl.SSLContext | None], None]
    ) -> None:
        self._folder = challenge_folder(state_folder)
        self._set_challenge = set_challenge
        self._loaded: dict[str, tuple[int, int]] = {}

    def scan(self) -> None:
        """Take up what was published and removed since the last scan."""
        found: dict[str, tuple[int, int]] = {}
        with suppress(OSError), os.scandir(self._folder) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    if file.name.endswith(_SUFFIX):
                        stat = file.stat()
                        found[file.name] = stat.st_ino, stat.st_mtime_ns
        for name in self._loaded.keys() - found.keys():
            self._set_challenge(name.removesuffix(_SUFFIX), None)
        for name, version in found.items():
            if self._loaded.get(name) != version:
                self._load(name)
        self._loaded = found

    async def run(self) -> None:
        """Scan every second until cancelled; scanning an empty folder costs microseconds."""
        while True:
            self.scan()
            await asyncio.sleep(SCAN_SECONDS)

    def _load(self, name: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([ACME_TLS.decode("ascii")])
        try:
            context.load_cert_chain(self._folder / name)
        except OSError as error:
            log.warning("The challenge %s cannot be used: %s.", self._folder / name, error)
            return
        self._set_challenge(name.removesuffix(_SUFFIX), context)


def server_name(name: str) -> str:
    """The name that the CA sends by SNI; for an address its reverse name (RFC 8738)."""
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        return name


def _challenge_certificate(name: str, key_authorization: str) -> bytes:
    """A self-signed certificate and its key in PEM form (RFC 8737 section 3)."""
    digest = sha256(key_authorization.encode("ascii")).digest()
    # An OCTET STRING (4) of 32 bytes.
    identifier = UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + digest)
    made = self_signed([name], CHALLENGE_LIFETIME, critical=[identifier])
    return made.certificate + made.key

"""TLS towards clients: the certificate, and whose certificates clients may show.

Tested by tests/hub/test_public_tls.py.
"""

from __future__ import annotations

import logging

from proxy.certs.sources import CertificateSource
from proxy.certs.store import CertificateStore
from proxy.errors import StartError
from proxy.hub.options import TlsFiles
from proxy.runtime.file_version import FileVersion, file_version
from proxy.tls.context import Handshakes

log = logging.getLogger("labgate")


class PublicTls:
    """Keeps both in service as their files are.

    Attributes:
        store: Has the certificate, and the context to listen with.

    Args:
        files: What to load.

    Raises:
        StartError: The authorities of clients' certificates cannot be used.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._authorities = self._refused = self._authorities_version()
        self.store = self._load()

    def start(self) -> None:
        """Put the certificate into service.

        Raises:
            StartError: It cannot be used.
        """
        self.store.start()

    def reload(self) -> None:
        """Put what has changed into service; what cannot be used leaves the one before."""
        self.store.reload()
        version = self._authorities_version()
        if version == self._authorities:
            return
        try:
            anew = self._load()
            anew.start()
        except StartError as error:
            if version != self._refused:
                self._refused = version
                log.warning("%s The authorities in service stay.", error)
            return
        self._authorities = version
        # A context can be told to trust more, but not to trust less.
        self.store.succeed_with(anew)
        log.info("The authorities of clients' certificates were read again.")

    def _load(self) -> CertificateStore:
        """What the files say, not yet in service."""
        files, handshakes = self._files, Handshakes()
        if files.require_cert:
            try:
                handshakes.require_certificates(files.ca)
            except OSError as error:
                raise StartError(
                    f"--ssl-ca {files.ca} cannot be used: {error.strerror or error}. Give a PEM "
                    "file with the authorities of clients' certificates."
                ) from None
        source = CertificateSource("", "files", files.cert, files.key, passphrase=files.passphrase)
        return CertificateStore([source], handshakes, [])

    def _authorities_version(self) -> FileVersion | None:
        """None if there is no such file."""
        if not self._files.require_cert or self._files.ca is None:
            return None
        try:
            return file_version(self._files.ca)
        except OSError:
            return None

"""TLS of the API's listener: its certificate, and those it asks clients for.

Tested by tests/hub/test_hub_tls.py and tests/hub/test_contract_tls.py.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from proxy.errors import StartError
from proxy.hub.options import TlsFiles


class ApiTls:
    """A context whose certificate is loaded again when its files change.

    Attributes:
        context: To listen with; it stays the same.

    Args:
        files: What to load.

    Raises:
        StartError: A file is missing or not usable.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        # Not the profile towards browsers: a Hub's own authority may leave out extensions.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._version = self._read_version()
            self._load()
            require_certificates(self.context, files)
        except OSError as error:
            raise StartError(
                f"--api-ssl-cert {files.cert} and --api-ssl-key {files.key} cannot be used: "
                f"{error.strerror or error}. Give PEM files of one pair."
            ) from None

    def reload(self) -> bool:
        """Load the certificate if a file has changed; False if there is nothing new.

        Raises:
            OSError: The files cannot be used; the certificate before stays.
        """
        version = self._read_version()
        if version == self._version:
            return False
        self._load()
        self._version = version
        return True

    def _load(self) -> None:
        files = self._files
        self.context.load_cert_chain(files.cert, files.key, password=lambda: files.passphrase)

    def _read_version(self) -> tuple[tuple[int, int], ...]:
        states = [path.stat() for path in (self._files.cert, self._files.key)]
        return tuple((state.st_ino, state.st_mtime_ns) for state in states)


def require_certificates(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Refuse clients without a valid certificate, if that is wanted.

    Raises:
        OSError: The authorities cannot be loaded.
    """
    if files.require_cert:
        load_authorities(context, files.ca)
        context.verify_mode = ssl.CERT_REQUIRED


def load_authorities(context: ssl.SSLContext, ca: Path | None) -> None:
    """Trust the authorities of a file, or the system's.

    Raises:
        OSError: The file cannot be used.
    """
    if ca is None:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    else:
        context.load_verify_locations(ca)

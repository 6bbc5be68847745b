"""TLS of the API's listener: its certificate, and those it asks clients for.

Tested by tests/hub/test_hub_tls.py and tests/hub/test_contract_tls.py.
"""

from __future__ import annotations

import ssl

from proxy.errors import StartError
from proxy.hub.options import TlsFiles
from proxy.runtime.file_version import FileVersion, file_version


class ApiTls:
    """TLS contexts made from the files; when a file changes, a new context is made.

    Attributes:
        context: To listen with; it stays the same, and moves each handshake to the newest one.

    Args:
        files: What to load.

    Raises:
        StartError: A file is missing or not usable.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        try:
            self._versions = self._read_versions()
            self._newest = self._load()
        except OSError as error:
            raise StartError(
                f"--api-ssl-cert {files.cert} and --api-ssl-key {files.key} cannot be used"
                f"{f', or --api-ssl-ca {files.ca}' if files.ca is not None else ''}: "
                f"{error.strerror or error}. Give PEM files, the first two of one pair."
            ) from None
        self.context = self._new_context()
        self.context.sni_callback = self._move

    def reload(self) -> bool:
        """Load the files if one has changed; False if there is nothing new.

        Raises:
            OSError: The files cannot be used; what was loaded before stays.
        """
        versions = self._read_versions()
        if versions == self._versions:
            return False
        self._newest = self._load()
        self._versions = versions
        return True

    def _move(self, connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        """Use the newest context for a handshake, also without a server name."""
        connection.context = self._newest

    def _load(self) -> ssl.SSLContext:
        files, context = self._files, self._new_context()
        context.load_cert_chain(files.cert, files.key, password=lambda: files.passphrase)
        if files.require_cert:
            # The client's certificate is verified with the authorities of the context to which the
            # handshake was moved.
            if files.ca is None:
                context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
            else:
                context.load_verify_locations(files.ca)
        return context

    def _new_context(self) -> ssl.SSLContext:
        # Not the profile towards browsers: a Hub's own authority may leave out extensions.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._files.require_cert:
            context.verify_mode = ssl.CERT_REQUIRED
            # A session that is resumed would not be verified again. TLS 1.2 resumes without
            # tickets, too, and Python cannot keep it from that.
            context.num_tickets = 0
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def _read_versions(self) -> list[FileVersion]:
        files = self._files
        ca = [files.ca] if files.require_cert and files.ca is not None else []
        return [file_version(path) for path in (files.cert, files.key, *ca)]

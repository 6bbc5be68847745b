"""TLS to an upstream: trusted CAs and labgate's client certificate."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from proxy.errors import StartError
from proxy.runtime.file_version import FileVersion, file_version

REMEMBERED_CONTEXTS = 16


class UpstreamTls(NamedTuple):
    """How to speak TLS to an upstream; paths are text, so that workers get them as JSON.

    Attributes:
        ca: PEM file with the authorities to trust; empty for those of the system.
        cert: PEM file of the certificate to show (a client certificate); empty for none.
        key: PEM file of its key; empty if ``cert`` has it, too.
        verify: Check the upstream's certificate and the name in it.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are now.

        A context is kept until a file changes, so that renewed certificates are used from the
        next connection on. Looking at the files takes microseconds.

        Raises:
            OSError: A file is missing, or OpenSSL does not take it.
        """
        return _context(self, tuple(_version(path) for path in (self.ca, self.cert, self.key)))

    def check(self) -> None:
        """Load the files.

        Raises:
            StartError: One is missing or not usable, with the remedy.
        """
        for path, what in ((self.ca, "authorities"), (self.cert, "certificate"), (self.key, "key")):
            if path and not Path(path).is_file():
                raise StartError(
                    f"There is no file {path}, where the {what} for the upstream should be. "
                    "Name the right file."
                )
        try:
            self.context()
        except OSError as error:
            files = ", ".join(path for path in (self.ca, self.cert, self.key) if path)
            raise StartError(
                f"TLS towards the upstream is not possible with {files}: {_reason(error)}. "
                "Give PEM files: the authorities, and a certificate with its own key."
            ) from None


@lru_cache(REMEMBERED_CONTEXTS)
def _context(tls: UpstreamTls, _versions: tuple[object, ...]) -> ssl.SSLContext:
    # Not create_default_context: newer Pythons refuse with it the certificates of private
    # authorities that leave out an extension, as JupyterHub's own does.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        context.load_verify_locations(tls.ca)
    else:
        context.load_default_certs()
    if tls.cert:
        # An empty passphrase: OpenSSL would ask for one at the terminal.
        context.load_cert_chain(tls.cert, tls.key or None, password=lambda: b"")
    context.set_alpn_protocols(["http/1.1"])
    return context


def _version(path: str) -> FileVersion | None:
    return file_version(Path(path)) if path else None


def _reason(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or error)

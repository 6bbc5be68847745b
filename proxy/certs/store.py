"""The certificates in service, replaced while the listeners stay open.

::

    store = CertificateStore(sources_of(settings), Handshakes(...), hosts, status_file)
    store.start()                  # raises StartError
    store.handshakes.context       # the one ssl.SSLContext for all listeners
    store.reload()                 # read the files again; True if a certificate was replaced
    store.set_challenge(name, context)                    # for TLS-ALPN-01; None ends it
    store.report_renewal(name, next_renewal=, last_error=)   # shown by `labgate cert show`
    store.managed                  # each certificate, for metrics

All calls are made on the event loop's thread. Code that obtains a certificate writes its files
(``acme.storage``) and then calls ``store.reload()``, or leaves that to ``watch``. A reload while
files are being written finds a pair that does not match: the old certificate stays in
service, and only the second reload in a row that finds the same fault logs it.

**Challenges.** The context given to ``set_challenge`` has the challenge's certificate and
``set_alpn_protocols(["acme-tls/1"])``. Only handshakes that ask for ``name`` by SNI *and*
offer ``acme-tls/1`` get it; others for that name get its ordinary certificate. Python does not
tell the SNI callback about ALPN, so while a challenge is set the ClientHello is read from the
handshake's MemoryBIO (``proxy.tls.context``). Several names may be pending at once. A CA asks
for an IP address by its reverse name (RFC 8738 section 6).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from proxy.errors import StartError
from proxy.tls.context import Handshakes

from .files import CertificatePair, check_covered
from .managed_certificate import ManagedCertificate
from .sources import CertificateSource
from .status import CertificateStatus, write_status

log = logging.getLogger("labgate")


class CertificateStore:
    """Keeps a certificate in service for every name.

    Args:
        sources: Of the certificates; the first is the default.
        handshakes: Gets their TLS contexts.
        hosts: The names that each need a certificate.
        status_file: Written at every change after ``publish_status``; None in a process that
            leaves it to its supervisor.
        key_of_host: The key of the configuration that has a name, for errors.

    Attributes:
        managed: One for each source.
    """

    def __init__(
        self,
        sources: Sequence[CertificateSource],
        handshakes: Handshakes,
        hosts: Sequence[str],
        status_file: Path | None = None,
        *,
        key_of_host: Callable[[str], str] = lambda _host: "site.domains",
    ) -> None:
        self._key_of_host = key_of_host
        self.managed = [ManagedCertificate(source) for source in sources]
        self.handshakes = handshakes
        self._hosts = hosts
        self._status_file = status_file
        self._published = False
        self._last_warning = ""

    def start(self, now: datetime | None = None) -> None:
        """Put every pair into service.

        Raises:
            StartError: A pair that is not deferred cannot be used, or no certificate is for a
                host.
        """
        now = now or datetime.now(UTC)
        for certificate in self.managed:
            certificate.start(self._hosts, now)
        try:
            self._check_covered()
        except StartError as error:
            if not any(certificate.source.deferred for certificate in self.managed):
                raise
            # The certificate for a new name can only be obtained while labgate serves.
            log.warning("%s Until then that name gets the default certificate.", error)
        self._serve()

    def reload(self, now: datetime | None = None) -> bool:
        """Read every pair's files again; True if a certificate was replaced."""
        now = now or datetime.now(UTC)
        changed = replaced = False
        for certificate in self.managed:
            before = certificate.pair, certificate.fault
            certificate.reload(self._hosts, self._others(certificate), now)
            replaced |= certificate.pair is not before[0]
            changed |= (certificate.pair, certificate.fault) != before
        if replaced:
            self._serve()
            try:
                self._check_covered()
            except StartError as error:
                log.warning("%s It gets the default certificate.", error)
        if changed:
            self._write_status()
        return replaced

    def check(self, now: datetime | None = None) -> None:
        """Make sure that ``reload`` would find no fault.

        Raises:
            StartError: A pair cannot be put into service.
        """
        now = now or datetime.now(UTC)
        for certificate in self.managed:
            certificate.check(self._hosts, self._others(certificate), now)

    def has_the_sources_of(self, other: CertificateStore) -> bool:
        """Whether both serve the same names from the same files."""
        return self._identity == other._identity

    @property
    def _identity(self) -> object:
        sources = [replace(certificate.source, make=None) for certificate in self.managed]
        return sources, self._hosts, self.handshakes.refuse_unknown

    def succeed_with(self, other: CertificateStore) -> None:
        """From the next handshake on serve what ``other`` has loaded, which is not used after."""
        self.managed[:] = other.managed
        self._hosts, self._key_of_host = other._hosts, other._key_of_host
        self.handshakes.follow(other.handshakes)
        self._serve()
        self._write_status()

    def set_challenge(self, name: str, context: ssl.SSLContext | None) -> None:
        """Answer TLS-ALPN-01 for ``name`` with ``context``; None ends it (RFC 8737)."""
        self.handshakes.challenge(name, context)

    def report_renewal(
        self, first_name: str, *, next_renewal: datetime | None = None, last_error: str = ""
    ) -> None:
        """Record the state of a certificate's renewal, in place of the last report.

        Args:
            first_name: Of the certificate; one without a source is ignored.
            next_renewal: When the next attempt is due (UTC); None if that is not known.
            last_error: Why the last attempt failed; empty if it did not.
        """
        for certificate in self.managed:
            if certificate.name == first_name:
                certificate.next_renewal, certificate.last_error = next_renewal, last_error
        self._write_status()

    def publish_status(self) -> None:
        """Write the status file, now and at every change, for ``labgate cert show``."""
        self._published = True
        self._write_status()

    def statuses(self) -> list[CertificateStatus]:
        """The certificates in service."""
        return [
            _status_of(certificate) for certificate in self.managed if certificate.pair is not None
        ]

    def close(self) -> None:
        """Write into the status file that the instance has ended."""
        self._write_status(running=False)
        self._published = False

    def _others(self, certificate: ManagedCertificate) -> list[CertificatePair]:
        """The other pairs in service."""
        return [
            other.pair
            for other in self.managed
            if other is not certificate and other.pair is not None and not other.temporary
        ]

    def _check_covered(self) -> None:
        pairs = [certificate.pair for certificate in self.managed if certificate.pair is not None]
        check_covered(pairs, self._hosts, self._key_of_host)

    def _serve(self) -> None:
        # A real certificate takes precedence over a temporary one for the same name.
        ranked = sorted(self.managed, key=lambda certificate: certificate.temporary)
        self.handshakes.serve(
            [
                (certificate.pair.names, certificate.context)
                for certificate in ranked
                if certificate.pair is not None and certificate.context is not None
            ]
        )

    def _write_status(self, *, running: bool = True) -> None:
        if self._status_file is None or not self._published:
            return
        try:
            write_status(self._status_file, self.statuses(), self._hosts, running=running)
        except OSError as error:
            warning = f"{self._status_file} cannot be written: {error.strerror}"
            if warning != self._last_warning:
                log.warning(
                    "%s. Until it can, `labgate cert show` does not know what is in service.",
                    warning,
                )
            self._last_warning = warning
        else:
            self._last_warning = ""


def _status_of(certificate: ManagedCertificate) -> CertificateStatus:
    pair = certificate.pair
    assert pair is not None, "only certificates in service have a status"
    return CertificateStatus(
        name=certificate.name,
        names=pair.names,
        source=certificate.source.kind,
        cert=str(certificate.source.cert),
        key=str(certificate.source.key),
        temporary=certificate.temporary,
        issuer=pair.issuer,
        serial=pair.serial,
        not_before=pair.not_before,
        not_after=pair.not_after,
        fault=certificate.fault,
        next_renewal=certificate.next_renewal,
        last_error=certificate.last_error,
    )

"""One certificate in service: loaded from its source, replaced when its files change."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy.errors import StartError
from proxy.runtime.secret_files import write_atomically
from proxy.tls.context import pair_context

from .development_ca import RENEW_BEFORE
from .files import CertificatePair, check_pair, load_pair, read_pair
from .sources import CertificateSource
from .x509 import self_signed

log = logging.getLogger("labgate")

EXPIRY_WARNING = timedelta(days=14)
EXPIRY_WARNING_FRACTION = 1 / 6
"""Warn when less than this, and less than this part of its lifetime, is left: certbot and labgate
renew at a third of the lifetime."""

EXPIRY_WARNING_INTERVAL = timedelta(days=1)

TEMPORARY_ISSUER = "labgate temporary"
TEMPORARY_LIFETIME = timedelta(days=365)


@dataclass(slots=True)
class ManagedCertificate:
    """A certificate's source, and the pair in service from it.

    Attributes:
        source: Where its files are.
        pair: In service; None if the source is optional and has no files.
        context: The TLS context for its handshakes.
        temporary: It is self-signed and serves until the deferred certificate is there.
        fault: What is wrong with the files now, and the remedy; empty if nothing is.
        next_renewal: When the next renewal is due; None if that is not known.
        last_error: Why the last renewal failed; empty if it did not.
    """

    source: CertificateSource
    pair: CertificatePair | None = None
    context: ssl.SSLContext | None = None
    temporary: bool = False
    fault: str = ""
    next_renewal: datetime | None = None
    last_error: str = ""
    _served_digest: bytes = b""
    _last_digest: bytes = b""
    _warned_fault: str = ""
    _next_warning: datetime | None = None

    @property
    def name(self) -> str:
        """The first name in the certificate; without one the path of its file."""
        if self.source.name or self.pair is None or not self.pair.names:
            return self.source.name or str(self.source.cert)
        return self.pair.names[0]

    def start(self, hosts: Sequence[str], now: datetime) -> None:
        """Put the pair into service; without a usable one, a temporary one if it is deferred.

        Args:
            hosts: The names that each need a certificate.
            now: UTC.

        Raises:
            StartError: The pair cannot be used, and it is not deferred.
        """
        try:
            self._load(hosts, (), now)
        except StartError as error:
            if not self.source.deferred:
                raise
            self.fault = self.source.pending or str(error)
            if self.source.present:
                log.warning("%s Until then a temporary certificate serves.", error)
                self._warned_fault = self.fault
            self._use_temporary(hosts)
        if self.pair is not None and self.pair.not_before > now:
            log.warning("%s", _not_yet_valid(self.pair))

    def reload(
        self, hosts: Sequence[str], others: Sequence[CertificatePair], now: datetime
    ) -> None:
        """Read the files, and put their pair into service if it is good and has changed.

        A fault is logged once, and only if two reloads in a row find it: the two files are
        written one after the other.

        Args:
            hosts: The names that each need a certificate.
            others: The other pairs in service.
            now: UTC.
        """
        try:
            self._load(hosts, others, now)
        except StartError as error:
            self._record_fault(self.source.pending or str(error))
        except Exception as error:
            # No content of these files may end the watcher.
            files = f"{self.source.cert} and {self.source.key}"
            self._record_fault(f"{files} cannot be used: {error!r}. Obtain another pair.")
        else:
            if self._warned_fault:
                log.info("The files of the certificate for %s are good again.", self.name)
            self.fault = self._warned_fault = ""
        self._warn_before_expiry(now)

    def _load(self, hosts: Sequence[str], others: Sequence[CertificatePair], now: datetime) -> None:
        source, old = self.source, self.pair
        if source.make is not None and (old is None or old.not_after - now < RENEW_BEFORE):
            source.make()
        if source.optional and old is None and not source.present:
            return
        content = read_pair(source.cert, source.key)
        last, self._last_digest = self._last_digest, _digest(content)
        if self._last_digest == self._served_digest:
            return
        new, context = self._checked(content, hosts, others, now)
        shorter = old is not None and self._is_good(now) and new.chain_length < old.chain_length
        if shorter and self._last_digest != last:
            # Perhaps the chain is still being written; the next reload decides.
            return
        self.pair, self.context, self._served_digest = new, context, self._last_digest
        self.temporary = False
        if old is not None:
            log.info("New certificate for %s in service: %s.", self.name, _describe(new))

    def check(self, hosts: Sequence[str], others: Sequence[CertificatePair], now: datetime) -> None:
        """Make sure that ``reload`` would find no fault; the arguments are the same.

        Raises:
            StartError: The files cannot be put into service.
        """
        source = self.source
        if (source.deferred or source.optional) and not source.present:
            return
        content = read_pair(source.cert, source.key)
        if _digest(content) != self._served_digest:
            self._checked(content, hosts, others, now)

    @property
    def is_outdated_copy(self) -> bool:
        """Whether it is a credential of systemd's whose content is the one already in service."""
        source = self.source
        return source.kind == "credentials" and (
            _digest(read_pair(source.cert, source.key)) == self._served_digest
        )

    def _is_good(self, now: datetime) -> bool:
        """Whether the pair in service is worth keeping."""
        return self.pair is not None and not self.temporary and self.pair.not_after > now

    def _checked(
        self,
        content: tuple[bytes, bytes],
        hosts: Sequence[str],
        others: Sequence[CertificatePair],
        now: datetime,
    ) -> tuple[CertificatePair, ssl.SSLContext]:
        """The pair and its context, if it may replace the one in service.

        Raises:
            StartError: It may not.
        """
        source = self.source
        new = check_pair(source.cert, source.key, *content, now, passphrase=source.passphrase)
        context = _context(new, source.passphrase)
        if self.pair is not None and self._is_good(now):
            _require_no_worse(self.pair, new, hosts, others, now)
        return new, context

    def _record_fault(self, fault: str) -> None:
        # A deferred certificate that is not there yet is no fault; start-up has announced it.
        pending = self.temporary and not self.source.present
        if fault == self.fault and fault != self._warned_fault and not pending:
            log.warning("%s The certificate in service stays.", fault)
            self._warned_fault = fault
        self.fault = fault

    def _warn_before_expiry(self, now: datetime) -> None:
        """Log once a day that the certificate should have been renewed."""
        pair = self.pair
        if pair is None or self.temporary:
            return
        left = pair.not_after - now
        if left > min((pair.not_after - pair.not_before) * EXPIRY_WARNING_FRACTION, EXPIRY_WARNING):
            self._next_warning = None
            return
        if self._next_warning is not None and now < self._next_warning:
            return
        self._next_warning = now + EXPIRY_WARNING_INTERVAL
        expired = left <= timedelta(0)
        log.log(
            logging.ERROR if expired else logging.WARNING,
            "The certificate for %s %s on %s UTC. %s",
            self.name,
            "expired" if expired else "expires",
            f"{pair.not_after:%Y-%m-%d %H:%M}",
            self.source.remedy,
        )

    def _use_temporary(self, hosts: Sequence[str]) -> None:
        made = self_signed(hosts, TEMPORARY_LIFETIME, organization=TEMPORARY_ISSUER)
        with TemporaryDirectory(prefix="labgate-") as folder:
            cert, key = Path(folder) / "fullchain.pem", Path(folder) / "privkey.pem"
            # OpenSSL loads files only.
            write_atomically(key, made.key)
            write_atomically(cert, made.certificate)
            self.pair, self.context = load_pair(cert, key), pair_context(cert, key)
        self.temporary = True


def _digest(content: tuple[bytes, bytes]) -> bytes:
    return sha256(b"\0".join(content)).digest()


def _context(pair: CertificatePair, passphrase: str) -> ssl.SSLContext:
    try:
        return pair_context(pair.cert, pair.key, passphrase)
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise StartError(
            f"OpenSSL does not take {pair.cert} and {pair.key}: {reason}. Obtain another pair; "
            "its key should be ECDSA P-256, or RSA of at least 2048 bits."
        ) from None


def _require_no_worse(
    old: CertificatePair,
    new: CertificatePair,
    hosts: Sequence[str],
    others: Sequence[CertificatePair],
    now: datetime,
) -> None:
    """Refuse to replace a good certificate by one that is not valid yet or lacks a host.

    Raises:
        StartError: The new one is worse.
    """
    if new.not_before > now:
        raise StartError(_not_yet_valid(new))
    for host in hosts:
        if old.covers(host) and not any(pair.covers(host) for pair in [new, *others]):
            raise StartError(
                f"{new.cert} is not for {host}, which the certificate in service is for: it "
                f"names {', '.join(new.names)}. Obtain one that names all of them."
            )


def _not_yet_valid(pair: CertificatePair) -> str:
    return (
        f"{pair.cert} is valid only from {pair.not_before:%Y-%m-%d %H:%M} UTC on. If that is "
        "past, this machine's clock is late: set it (`timedatectl set-ntp true`)."
    )


def _describe(pair: CertificatePair) -> str:
    return f"from {pair.issuer}, serial {pair.serial}, expires on {pair.not_after:%Y-%m-%d}"

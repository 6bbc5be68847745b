"""One source of a certificate, and what is in service from it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy.edge.tls import pair_context
from proxy.errors import StartError

from .development_ca import RENEW_BEFORE
from .files import CertificatePair, check_pair, read_pair
from .sources import Source
from .temporary import temporary_pair

log = logging.getLogger("labgate")

LATE = timedelta(days=14)
LATE_PART = 1 / 6
"""With so much, or this part of its lifetime, left a certificate should have been renewed
long ago: certbot and labgate do it at a third."""

SAY_AGAIN = timedelta(days=1)

NOT_YET = "There is none yet. labgate asks the CA for it, and tries again when that fails."


@dataclass(slots=True)
class Entry:
    """One source, and what is in service from it.

    Attributes:
        pair: The pair in service; None of an optional source that has no files.
        context: For its handshakes.
        temporary: It is self-signed and stands in for one that is awaited.
        fault: What is wrong with the files now, and the mend; empty when nothing is.
        next_renewal: When whoever renews it will; None where that is not known.
        last_error: Why the last renewal failed; empty when it did not.
    """

    source: Source
    pair: CertificatePair | None = None
    context: ssl.SSLContext | None = None
    temporary: bool = False
    fault: str = ""
    next_renewal: datetime | None = None
    last_error: str = ""
    _served: bytes = b""
    _seen: bytes = b""
    _warned: str = ""
    _remind_at: datetime | None = None

    @property
    def name(self) -> str:
        """The first name."""
        if self.source.name or self.pair is None or not self.pair.names:
            return self.source.name or str(self.source.cert)
        return self.pair.names[0]

    def start(self, hosts: Sequence[str], now: datetime) -> None:
        """Put the pair into service, or a temporary one for ``hosts`` if it is awaited.

        Raises:
            StartError: It cannot be, and it is not awaited.
        """
        try:
            self._take(hosts, (), now)
        except StartError as error:
            if not self.source.awaited:
                raise
            self.fault = str(error)
            if self.source.kind == "ACME" and not self.source.present:
                self.fault = NOT_YET
            if self.source.present:
                log.warning("%s Until then a temporary certificate serves.", error)
                self._warned = self.fault
            self._stand_in(hosts)
        if self.pair is not None and self.pair.not_before > now:
            log.warning("%s", _too_early(self.pair))

    def look(self, hosts: Sequence[str], others: Sequence[CertificatePair], now: datetime) -> None:
        """Look at the files, and put what they contain into service if it is good.

        What is wrong with them is warned of once, and only when two looks in a row find it:
        files are written one after the other.

        Args:
            hosts: The names that each need a certificate.
            others: The other pairs in service.
            now: UTC.
        """
        try:
            self._take(hosts, others, now)
        except StartError as error:
            self._blame(str(error))
        except Exception as error:
            # Whatever somebody puts into these files, the next look must follow.
            files = f"{self.source.cert} and {self.source.key}"
            self._blame(f"{files} cannot be used: {error!r}. Obtain another pair.")
        else:
            if self._warned:
                log.info("The files of the certificate for %s are good again.", self.name)
            self.fault = self._warned = ""
        self._remind(now)

    def _take(self, hosts: Sequence[str], others: Sequence[CertificatePair], now: datetime) -> None:
        source, old = self.source, self.pair
        if source.make is not None and (old is None or old.not_after - now < RENEW_BEFORE):
            source.make()
        if source.optional and old is None and not source.present:
            return
        content = read_pair(source.cert, source.key)
        last, self._seen = self._seen, sha256(b"\0".join(content)).digest()
        if self._seen == self._served:
            return
        new = check_pair(source.cert, source.key, *content, now)
        context = _context(new)
        if old is not None and not self.temporary and old.not_after > now:
            _compare(old, new, hosts, others, now)
            if new.length < old.length and self._seen != last:
                # Perhaps the chain is still being written; the next look knows.
                return
        self.pair, self.context, self._served = new, context, self._seen
        self.temporary = False
        if old is not None:
            log.info("New certificate for %s in service: %s.", self.name, _described(new))

    def _blame(self, fault: str) -> None:
        not_yet = self.temporary and not self.source.present
        # What has not come yet is no fault: start-up has said that it is awaited.
        if fault == self.fault and fault != self._warned and not not_yet:
            log.warning("%s The certificate in service stays.", fault)
            self._warned = fault
        self.fault = fault

    def _remind(self, now: datetime) -> None:
        """Say once a day that a certificate should have been renewed."""
        pair = self.pair
        if pair is None or self.temporary:
            return
        left = pair.not_after - now
        if left > min((pair.not_after - pair.not_before) * LATE_PART, LATE):
            self._remind_at = None
            return
        if self._remind_at is not None and now < self._remind_at:
            return
        self._remind_at = now + SAY_AGAIN
        over = left <= timedelta(0)
        log.log(
            logging.ERROR if over else logging.WARNING,
            "The certificate for %s %s on %s UTC. %s",
            self.name,
            "expired" if over else "expires",
            f"{pair.not_after:%Y-%m-%d %H:%M}",
            self.source.mend,
        )

    def _stand_in(self, hosts: Sequence[str]) -> None:
        with TemporaryDirectory(prefix="labgate-") as folder:
            self.pair = temporary_pair(Path(folder), hosts)
            self.context = pair_context(self.pair.cert, self.pair.key)
        self.temporary = True


def _context(pair: CertificatePair) -> ssl.SSLContext:
    try:
        return pair_context(pair.cert, pair.key)
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise StartError(
            f"OpenSSL does not take {pair.cert} and {pair.key}: {reason}. Obtain another pair; "
            "its key should be ECDSA P-256, or RSA of at least 2048 bits."
        ) from None


def _compare(
    old: CertificatePair,
    new: CertificatePair,
    hosts: Sequence[str],
    others: Sequence[CertificatePair],
    now: datetime,
) -> None:
    """A good certificate does not make way for one that would be worse.

    Raises:
        StartError: It would be.
    """
    if new.not_before > now:
        raise StartError(_too_early(new))
    for host in hosts:
        if old.covers(host) and not any(pair.covers(host) for pair in [new, *others]):
            raise StartError(
                f"{new.cert} is not for {host}, which the certificate in service is for: it "
                f"names {', '.join(new.names)}. Obtain one that names all of them."
            )


def _too_early(pair: CertificatePair) -> str:
    return (
        f"{pair.cert} is valid only from {pair.not_before:%Y-%m-%d %H:%M} UTC on. If that is "
        "past, this machine's clock is late: set it (`timedatectl set-ntp true`)."
    )


def _described(pair: CertificatePair) -> str:
    return f"from {pair.issuer}, serial {pair.serial}, expires on {pair.not_after:%Y-%m-%d}"

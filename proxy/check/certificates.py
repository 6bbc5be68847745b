"""The certificates: whether their files can be used, and for which names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from proxy.certs.files import CertificatePair, check_covered, load_pair
from proxy.certs.sources import CertificateSource, hosts_of, sources_of
from proxy.certs.status import SOON_DAYS
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.settings import Settings
from proxy.errors import StartError

SUBJECT = "Certificate"


def check_certificates(settings: Settings, now: datetime | None = None) -> Iterator[Verdict]:
    """Look at every pair of files that the configuration names."""
    if not settings.listen.tls:
        return
    now = now or datetime.now(UTC)
    hosts = hosts_of(settings)
    pairs, waits = [], False
    for source in sources_of(settings):
        if source.optional and not source.present:
            continue
        try:
            pair = load_pair(source.cert, source.key, now)
        except StartError as error:
            waits |= (source.make is not None and not source.present) or source.deferred
            yield _no_pair(source, error)
            continue
        if source.make is not None and (missing := _missing_names(pair, hosts)):
            waits = True
            yield _made_anew(source, pair, missing)
            continue
        pairs.append(pair)
        yield _usable(source, pair, now)
    if pairs and not waits:
        try:
            check_covered(pairs, hosts, settings.key_of_host)
        except StartError as error:
            yield fault(SUBJECT, error)


def _no_pair(source: CertificateSource, error: StartError) -> Verdict:
    if source.make is not None:
        return Verdict(SUBJECT, f"{source.name}: labgate makes a development certificate at start.")
    if source.kind == "ACME":
        return Verdict(SUBJECT, f"{source.name}: labgate obtains it while it serves.")
    if source.deferred:
        return remark(SUBJECT, f"{error} Until it is there, a temporary one serves.")
    return fault(SUBJECT, error)


def _missing_names(pair: CertificatePair, hosts: Sequence[str]) -> str:
    return ", ".join(host for host in hosts if not pair.covers(host))


def _made_anew(source: CertificateSource, pair: CertificatePair, missing: str) -> Verdict:
    return Verdict(
        SUBJECT,
        f"{', '.join(pair.names)} ({source.kind}): not for {missing}, {pair.cert}. At its start, "
        f"or at a reload, labgate makes a new development certificate that also names {missing}.",
    )


def _usable(source: CertificateSource, pair: CertificatePair, now: datetime) -> Verdict:
    days = (pair.not_after - now).days
    text = f"{', '.join(pair.names)} ({source.kind}): {days} days left, {pair.cert}"
    if days < SOON_DAYS and source.make is None and source.kind != "ACME":
        return remark(SUBJECT, f"{text}. {source.remedy}")
    return Verdict(SUBJECT, text)

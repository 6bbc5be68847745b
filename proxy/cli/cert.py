"""``labgate cert show``: the certificates in service, and their expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from proxy.certs.development_ca import RENEW_BEFORE
from proxy.certs.files import CertificatePair, load_pair
from proxy.certs.sources import CertificateSource, hosts_of, sources_of
from proxy.certs.status import (
    SOON_DAYS,
    CertificateStatus,
    InstanceStatus,
    read_status,
    status_file,
)
from proxy.config.settings import Settings
from proxy.errors import StartError

EXPIRES_SOON = timedelta(days=SOON_DAYS)

_RENEWED_BY = {
    "files": "by whoever writes the files",
    "certbot": "by certbot",
    "credentials": "by hand, then restart labgate",
    "development": "by labgate",
    "ACME": "by labgate",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate to show.

    Attributes:
        not_after: When it expires; None if there is none.
        temporary: A self-signed one serves until the real one is there.
        problems: Sentences.
    """

    names: tuple[str, ...]
    issuer: str
    not_after: datetime | None
    source: CertificateSource
    next_renewal: datetime | None
    temporary: bool
    problems: tuple[str, ...]


def show(settings: Settings) -> int:
    """Print each certificate; returns 1 if one is expired, missing or temporary.

    Lines are not wrapped here: people copy names and paths from them.
    """
    console = Console(soft_wrap=True, highlight=False)
    if not settings.listen.tls:
        console.print("listen.tls is off: labgate serves plain HTTP and needs no certificate.")
        return 0
    now = datetime.now(UTC)
    path = status_file(settings.state_folder)
    status = read_status(path)
    rows = rows_of(settings, status, now)
    for row in rows:
        console.print(_record(row, now))
    for row in rows:
        for problem in row.problems:
            console.print(Text.assemble((f"{', '.join(row.names)}: ", "bold"), problem))
    console.print(Text(_provenance(settings, path, status)))
    good = all(row.not_after and row.not_after > now and not row.temporary for row in rows)
    return 0 if good else 1


def rows_of(settings: Settings, status: InstanceStatus, now: datetime) -> list[Row]:
    """A row for each source that has a certificate or should have one."""
    reported = {one.cert: one for one in status.certificates}
    in_service = status.running and not _unserved(settings, status)
    rows = [
        _row(settings, source, reported.get(str(source.cert)), in_service, now)
        for source in sources_of(settings)
        if source.present or not source.optional
    ]
    covered = {name for row in rows for name in row.names}
    for host in hosts_of(settings):
        if host not in covered and "*." + host.partition(".")[2] not in covered:
            problem = "No certificate is for this name; labgate does not start without one."
            if rows[0].source.make is not None:
                problem = "No certificate is for this name yet; labgate makes one when it starts."
            rows.append(Row((host,), "", None, rows[0].source, None, False, (problem,)))
    return rows


def _row(
    settings: Settings,
    source: CertificateSource,
    reported: CertificateStatus | None,
    in_service: bool,
    now: datetime,
) -> Row:
    problems = []
    pair: CertificatePair | None = None
    try:
        # An expired pair is loaded, too: its date is shown.
        pair = load_pair(source.cert, source.key, datetime.min.replace(tzinfo=UTC))
    except StartError as error:
        unmade = source.make is not None and not source.present
        waits = "labgate makes it when it starts." if unmade else source.pending
        problems.append(waits or str(error))
    next_renewal = reported.next_renewal if reported else None
    if reported and reported.last_error:
        problems.append(f"The last renewal failed: {reported.last_error}")
    if reported and in_service:
        if reported.fault and reported.fault not in problems:
            problems.append(reported.fault)
        if pair and pair.serial != reported.serial and not reported.fault:
            problems.append("The files hold another one, which is put into service in a moment.")
        names, issuer, not_after = reported.names, reported.issuer, reported.not_after
        temporary = reported.temporary
        if temporary:
            problems.append("A temporary self-signed certificate serves until it is there.")
    elif pair:
        names, issuer, not_after, temporary = pair.names, pair.issuer, pair.not_after, False
    else:
        named = (source.name,) if source.name else tuple(hosts_of(settings))
        return Row(named, "", None, source, next_renewal, False, tuple(problems))
    if not_after <= now:
        problems.append(f"It has expired. {source.remedy}")
    if source.kind == "development":
        next_renewal = not_after - RENEW_BEFORE
    return Row(names, issuer, not_after, source, next_renewal, temporary, tuple(problems))


def _record(row: Row, now: datetime) -> Text:
    record = Text()
    for name in row.names:
        record.append(f"{name}\n", "bold")
    for label, value in (
        ("Issuer", Text(row.issuer)),
        ("Expires", _expires(row, now)),
        ("Source", Text(row.source.kind)),
        ("File", Text(str(row.source.cert))),
        ("Renewal", _renewal(row)),
    ):
        if value:
            record.append(f"  {label:8} ", "dim").append_text(value).append("\n")
    return record


def _expires(row: Row, now: datetime) -> Text:
    if row.not_after is None:
        return Text("unusable" if row.source.present else "missing", "bold red")
    left = row.not_after - now
    style = "green" if left > EXPIRES_SOON else "bold yellow"
    description = _span(left) + " left"
    if left <= timedelta(0):
        description, style = f"expired {_span(-left)} ago", "bold red"
    if row.temporary:
        description, style = "temporary", "bold yellow"
    return Text.assemble(f"{row.not_after:%Y-%m-%d}, ", (description, style))


def _renewal(row: Row) -> Text:
    by = _RENEWED_BY[row.source.kind]
    return Text(f"{row.next_renewal:%Y-%m-%d %H:%M} UTC, {by}" if row.next_renewal else by)


def _span(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    number, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _unserved(settings: Settings, status: InstanceStatus) -> list[str]:
    """The configured names that the running labgate does not serve."""
    return [host for host in hosts_of(settings) if host not in status.hosts]


def _provenance(settings: Settings, path: Path, status: InstanceStatus) -> str:
    """Say whether the certificates shown are in service, or only in the files."""
    if status.unreadable:
        return (
            f"{path} may not be read by this user, so this is what the files hold, not what is "
            "in service. Use sudo to see that."
        )
    folder = path.parent.parent
    if not status.running:
        return f"No labgate with the state folder {folder} runs: from the files."
    who = f"The running labgate (process {status.pid}, state folder {folder})"
    if unserved := _unserved(settings, status):
        return (
            f"{who} serves {', '.join(status.hosts)} and not {', '.join(unserved)}: this is what "
            "the files hold, not what is in service."
        )
    in_service = {one.cert for one in status.certificates}
    configured = [
        source for source in sources_of(settings) if source.present or not source.optional
    ]
    if any(str(source.cert) not in in_service for source in configured):
        return (
            f"{who} serves these names from {', '.join(sorted(in_service))}: what is shown here of "
            "other files is not in service."
        )
    return f"{who} reports this: it is in service now. It checks the files all the time."

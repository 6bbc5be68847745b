"""The access log: one line an exchange, secrets redacted."""

from __future__ import annotations

import logging

from proxy.inspector.redaction import printable, redact_target

from .record import Record

log = logging.getLogger("labgate.access")


def write_line(record: Record) -> None:
    """``peer "METHOD target" status bytes_up bytes_down seconds outcome``."""
    head = record.head
    log.info(
        '%s "%s %s" %d %d %d %.3f %s',
        head.arrival.peer,
        printable(head.method),
        printable(redact_target(head.target), 2000),
        record.status,
        record.bytes_up,
        record.bytes_down,
        record.seconds,
        record.outcome,
    )

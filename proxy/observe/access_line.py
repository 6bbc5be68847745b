"""What the access log says of a request, as text and as facts, with secrets redacted.

Tested by tests/observe/test_access_log.py and tests/rules/test_planted_secrets.py.
"""

from __future__ import annotations

from functools import lru_cache

from proxy.observe.record import Record
from proxy.rules.head import HTTP_2
from proxy.rules.redaction import printable, redact, redact_target
from proxy.runtime.log_format import Facts

MAX_TARGET_CHARACTERS = 2000
MAX_CACHED_AGENT_BYTES = 512
"""Browsers have some 130. A client may send another one of 64 KiB with each request."""


def format_line(record: Record) -> str:
    """The line as text.

    ``client "METHOD target" status bytes_up bytes_down seconds outcome``, ``: detail`` if there is
    one, ``[request id] "User-Agent"``. ``HTTP/2`` stands behind the target where it was spoken.
    """
    head = record.head
    target = printable(redact_target(head.target), MAX_TARGET_CHARACTERS)
    outcome = f"{record.outcome}: {record.detail}" if record.detail else record.outcome
    protocol = " HTTP/2" if head.version == HTTP_2 else ""
    return (
        f'{head.arrival.peer} "{printable(head.method)} {target}{protocol}" {record.status} '
        f"{record.bytes_up} {record.bytes_down} {record.seconds:.3f} {outcome} "
        f'[{record.request_id.decode("ascii")}] "{_quoted(user_agent(record))}"'
    )


def facts_of(record: Record) -> tuple[str, Facts]:
    """The message and the facts of the same line."""
    head = record.head
    method = printable(head.method)
    target = printable(redact_target(head.target), MAX_TARGET_CHARACTERS)
    known: dict[str, str | int | float | bool] = {
        "client": head.arrival.peer,
        "method": method,
        "target": target,
        "status": record.status,
        "bytes_up": record.bytes_up,
        "bytes_down": record.bytes_down,
        "seconds": round(record.seconds, 6),
        "outcome": record.outcome,
        "request_id": record.request_id.decode("ascii"),
        "user_agent": user_agent(record),
    }
    if head.version == HTTP_2:
        known["protocol"] = "HTTP/2"
    if record.detail:
        known["detail"] = record.detail
    return f"{method} {target} {record.status}", known


def user_agent(record: Record) -> str:
    """The client's User-Agent, fit to print; empty if it sent none."""
    agent = _agent(record)
    is_short = len(agent) <= MAX_CACHED_AGENT_BYTES
    return _printable_agent(agent) if is_short else _printable_agent.__wrapped__(agent)


def _agent(record: Record) -> bytes:
    values = record.head.values(b"user-agent")
    return values[0] if len(values) == 1 else record.user_agent or b", ".join(values)


@lru_cache(256)
def _printable_agent(value: bytes) -> str:
    return printable(redact(b"user-agent", value)) if value else ""


@lru_cache(256)
def _quoted(agent: str) -> str:
    return agent.replace("\\", "\\\\").replace('"', '\\"')

"""The heads of an exchange as text without their secrets; those of many exchanges are the same.

Tested by tests/inspector/test_captured_heads.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.inspector.captured_text import (
    captured_changes,
    captured_fields,
    captured_target,
    status_line,
)
from proxy.inspector.exchange import CapturedChange, CapturedHead, Pair, octets_of_heads
from proxy.observe.record import NOTHING_UP, Record
from proxy.rules.redaction import printable
from proxy.rules.request_id import FIELD, MAX_ID_BYTES

_ID = FIELD.decode("ascii")
MAX_REMEMBERED_EXCHANGES = 1024
MAX_REMEMBERED_OCTETS = 32 * 1024
"""Of the heads of one of them."""
ID_OCTETS = 2 * MAX_ID_BYTES
"""A request's id stands in its last field and in the change that added it."""


@dataclass(frozen=True, slots=True)
class CapturedHeads:
    """The attributes of ``Exchange`` that are about heads; their meaning is described there.

    Attributes:
        sent_up: The request's id, its last field, is empty yet; so is the last of ``changes_up``.
        status: That of ``sent_down``; 0 without one.
        octets: About what an exchange with them holds in memory, with the longest request's id.
    """

    method: str
    target: str
    received: CapturedHead
    sent_up: CapturedHead | None
    changes_up: tuple[CapturedChange, ...]
    answered: CapturedHead | None
    sent_down: CapturedHead | None
    changes_down: tuple[CapturedChange, ...]
    status: int
    octets: int


class HeadCaptures:
    """Captures the heads of exchanges: once, where a client repeats a request and gets the same.

    What it remembers has no secrets. Heads that repeat are found by 64-bit hashes with a key that
    each process draws anew; the heads themselves are not kept.
    """

    def __init__(self) -> None:
        self._known: dict[int, CapturedHeads] = {}

    def repeated(self, record: Record) -> CapturedHeads:
        """The heads of an exchange whose response is Jupyter's, at the price of a hash.

        What was sent down then says which status and reason Jupyter's had.
        """
        head, up, answer = record.head, record.fields_up, record.upstream_response
        if answer is None or up is NOTHING_UP or record.sent_down is None:
            return self.of(record)
        key = hash(
            (
                # Of one number there is one version only.
                up.number,
                head.method,
                head.target,
                record.upstream_target,
                answer.fields,
                record.sent_down,
                tuple(record.changes_down),
            )
        )
        return self._known.get(key) or self._remember(key, _capture(record))

    def of(self, record: Record) -> CapturedHeads:
        """The heads of one exchange, as far as there are any by now."""
        head, up, answer = record.head, record.fields_up, record.upstream_response
        key = hash(
            (
                (head.fields, head.version) if up is NOTHING_UP else up.number,
                head.method,
                head.target,
                record.upstream_target,
                answer and (answer.status, answer.reason, answer.fields),
                record.sent_down,
                tuple(record.changes_down),
            )
        )
        return self._known.get(key) or self._remember(key, _capture(record))

    def _remember(self, key: int, heads: CapturedHeads) -> CapturedHeads:
        if heads.octets <= MAX_REMEMBERED_OCTETS:
            if len(self._known) >= MAX_REMEMBERED_EXCHANGES:
                self._known.clear()
            self._known[key] = heads
        return heads


def _capture(record: Record) -> CapturedHeads:
    head, answer = record.head, record.upstream_response
    method, target = printable(head.method), captured_target(head.target)
    version = f"HTTP/{head.version[0]}.{head.version[1]}"
    received = CapturedHead(f"{method} {target} {version}", captured_fields(head.fields))
    up = answered = down = None
    status = 0
    changes_up: tuple[CapturedChange, ...] = ()
    if record.upstream_target:
        line = f"{method} {captured_target(record.upstream_target)} HTTP/1.1"
        up = CapturedHead(line, (*captured_fields(record.fields_up.pairs), id_field("")))
        changes_up = (*captured_changes(record.fields_up.changes), id_change(""))
    if answer is not None:
        line = status_line(answer.status, answer.reason)
        answered = CapturedHead(line, captured_fields(answer.fields))
    if record.sent_down is not None:
        status, reason, fields = record.sent_down
        down = CapturedHead(status_line(status, reason), captured_fields(fields))
    changes_down = captured_changes(record.changes_down)
    heads, changes = (received, up, answered, down), (*changes_up, *changes_down)
    octets = octets_of_heads(target, heads, changes) + (ID_OCTETS if up is not None else 0)
    return CapturedHeads(
        method, target, received, up, changes_up, answered, down, changes_down, status, octets
    )


def id_field(request_id: str) -> Pair:
    """The request's id, as it goes up."""
    return _ID, request_id


def id_change(request_id: str) -> CapturedChange:
    """The change of the rules that adds it."""
    return CapturedChange("request-id", _ID, None, request_id)

"""Lines in the log about requests that are refused or fail."""

from __future__ import annotations

import logging
from time import monotonic

from proxy.errors import UpstreamError
from proxy.observe.record import Record
from proxy.proxying.router import Route
from proxy.rules.decision import Refuse
from proxy.rules.redaction import printable, redact, redact_target
from proxy.runtime.last_problems import OF_ONE_REQUEST
from proxy.runtime.log_format import Facts, facts
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class RequestLog:
    """Logs why a request is refused or fails, with secrets redacted.

    With an access log the reason is in the request's line there. Without one it has a line of its
    own, unless it is one of a flood.

    Attributes:
        access_log: Whether there is one.
    """

    def __init__(self, *, access_log: bool = False) -> None:
        self.access_log = access_log
        self._rejections = LogThrottle()
        self._lockouts = LogThrottle()
        self._internal_failures = LogThrottle()

    def log_refusal(self, record: Record, refusal: Refuse) -> None:
        """Log the field and the value at fault, and the rule that refused the request."""
        hint = f" ({refusal.hint})" if refusal.hint else ""
        if self.access_log:
            record.warning, record.detail = True, f"{_fault(refusal)}{hint}"
            return
        # An address that is locked out may go on trying.
        more = self._lockouts.due(monotonic()) if refusal.status == 429 else ""
        if more is None:
            return
        log.warning(
            "refused %d by rule %s: %s; %s%s%s",
            refusal.status,
            refusal.rule,
            _fault(refusal),
            _request(record),
            hint,
            more,
            extra={**_facts(record), **OF_ONE_REQUEST},
        )

    def log_rejection(self, peer: str, route: Route) -> None:
        """Log that a client's request exceeded the limit of its route."""
        more = self._rejections.due(monotonic())
        if more is None:
            return
        limit = "limits.requests" if route.limit.full else "limits.requests_per_address"
        if route.internal:
            limit = "labgate's own paths"
        log.warning("too many requests at once (%s): 503 for %s%s", limit, peer, more)

    def log_failure(self, record: Record, error: UpstreamError, route: Route) -> None:
        """Log why there is no complete response."""
        if self.access_log:
            return
        if route.outage is not None:
            route.outage.failed(_request(record), error)
        elif (more := self._internal_failures.due(monotonic())) is not None:
            log.warning("%s: %s%s", _request(record), error, more, extra=_facts(record))


def _request(record: Record) -> str:
    head = record.head
    target = printable(redact_target(head.target))
    name = record.request_id.decode("ascii")
    return f"{printable(head.method)} {target} from {head.arrival.peer} [{name}]"


def _facts(record: Record) -> dict[str, Facts]:
    return facts(client=record.head.arrival.peer, request_id=record.request_id.decode("ascii"))


def _fault(refusal: Refuse) -> str:
    """The field and the value at fault; the sentence if it is no field's."""
    if not refusal.field:
        return refusal.sentence.removesuffix(".")
    if refusal.value is None:
        return f"no {refusal.field} field"
    return f"{refusal.field} {printable(redact(refusal.field.encode('ascii'), refusal.value))!r}"

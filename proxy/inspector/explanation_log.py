"""Writes into labgate's log why a request failed, while the inspector captures.

Tested by tests/inspector/test_explanation_log.py.
"""

from __future__ import annotations

import logging
from time import monotonic

from proxy.inspector.exchange import READ_IN, Exchange
from proxy.runtime.last_problems import OF_ONE_REQUEST
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class ExplanationLog:
    """A ring's listener: the doctor's words about each exchange that failed, when it has ended.

    Of many with one symptom a line comes every few seconds, which counts the others.
    """

    def __init__(self) -> None:
        self._throttles: dict[str, LogThrottle] = {}

    def __call__(self, exchange: Exchange) -> None:
        if exchange.open or not exchange.explanation or exchange.outcome == READ_IN:
            return
        throttle = self._throttles.setdefault(exchange.symptom, LogThrottle())
        more = throttle.due(monotonic())
        if more is None:
            return
        log.warning(
            "%s: %s; %s %s, `labgate inspect %d`%s",
            exchange.symptom,
            exchange.explanation.removesuffix("."),
            exchange.method,
            exchange.target,
            exchange.number,
            more,
            extra=OF_ONE_REQUEST,
        )

"""Requests that are refused before there is a head: no record is made of them.

Tested by tests/http1/test_server.py and tests/web/test_metrics.py.
"""

from __future__ import annotations

import logging
from collections import Counter

from proxy.rules.decision import Refuse

log = logging.getLogger("labgate")


class RefusedHeads:
    """Counts them for the metrics, and logs each.

    Attributes:
        counts: How many there were, by rule and status.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    def add(self, client: str, refusal: Refuse) -> None:
        """Count one, and log why it is refused.

        Args:
            client: The client's address.
            refusal: Why.
        """
        self.counts[refusal.rule, refusal.status] += 1
        hint = f" ({refusal.hint})" if refusal.hint else ""
        log.info("%d from %s: %s%s", refusal.status, client, refusal.rule, hint)

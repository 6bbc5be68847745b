"""What a page of another site may do with the login of whoever opens it.

Tested by tests/doctor/test_judge_transfers.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding


def judge_foreign(answers: Sequence[Answer]) -> Finding | None:
    """Judge requests with a foreign Origin and the login cookie: all must be refused."""
    open_to_all = [answer for answer in answers if answer.ok or answer.status == 101]
    if not open_to_all:
        return None
    sent = "; ".join(dict.fromkeys(answer.sent for answer in open_to_all))
    received = "; ".join(dict.fromkeys(answer.received for answer in open_to_all))
    return Finding("cross-origin-open", "Origin", sent, received)

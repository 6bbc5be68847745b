"""Whether labgate itself refused, which stands between a proxy in front and Jupyter.

Its mends are others than Jupyter's: there is nothing to rewrite, and Host has to arrive as it was
sent. Tested by tests/doctor/test_judge_labgate.py.
"""

from __future__ import annotations

from types import MappingProxyType

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding
from proxy.rules.origin import NO_SUCH_SITE, OTHER_CONNECTION, OTHER_SITE

REQUEST_ID = "X-Request-Id"
"""A field that labgate adds to every answer of its own: the name of the request in its log."""

_REFUSALS = MappingProxyType(
    {
        NO_SUCH_SITE: ("host-not-served", "Host"),
        OTHER_CONNECTION: ("host-not-served", "Host"),
        OTHER_SITE: ("origin-not-served", "Origin"),
    }
)
"""The symptom and the field at fault by labgate's own sentence, which no other server says."""


def judge_by_labgate(answer: Answer) -> Finding | None:
    """The refusal, if the answer is labgate's own; None if it is somebody else's."""
    refusal = _REFUSALS.get(answer.message) if answer.status in (403, 421) else None
    if refusal is None:
        return None
    received = f"{answer.received.rstrip('.')}. These are labgate's own words"
    if answer.field(REQUEST_ID):
        received += f"; its log has the request as {answer.field(REQUEST_ID)}"
    return Finding(*refusal, answer.sent, received)

"""What the proxying tells the recording of a request, if it has one (``observe.record.Recording``).

Of what Jupyter answers, the record has what is captured of most requests. The rest passes a
responder of the recording's: what labgate says itself, the reasons of errors, WebSockets.

Tested by tests/proxying/test_recorded_request.py and tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from proxy.messages import Responder
from proxy.observe.record import Record
from proxy.rules.decision import Forward, Internal, Tunnel


def watch_unusual(
    record: Record, decision: Forward | Tunnel | Internal, responder: Responder
) -> Responder:
    """Have a request watched whose record will not have all that is captured.

    Args:
        record: That of a request that is recorded.
        decision: That of the rules.
        responder: The client's side.

    Returns:
        The client's side as the proxying is to use it.
    """
    recording = record.recording
    assert recording is not None, "the caller asks"
    if not isinstance(decision, Internal) and decision.would_refuse is not None:
        recording.refused(record, decision.would_refuse)
    return watched(record, responder)


def watched(record: Record, responder: Responder) -> Responder:
    """The client's side for a response that Jupyter has not sent."""
    recording = record.recording
    return responder if recording is None else recording.watch(record, responder)

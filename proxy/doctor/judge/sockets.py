"""WebSockets: the handshake, the subprotocol, large messages and silence.

Tested by tests/doctor/test_judge_transfers.py.
"""

from __future__ import annotations

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"


def judge_handshake(answer: Answer, without_origin: Answer | None) -> Finding | None:
    """Judge the answer to a handshake of Jupyter's own page.

    Args:
        answer: With Origin, Cookie and everything else that a browser sends.
        without_origin: The answer to the same without Origin; None if it was not asked.
    """
    if answer.status == 101:
        return None
    symptom, field = "websocket-refused", "Cookie"
    message = answer.message
    if answer.status == 400 and "Upgrade" in message:
        # 'Can "Upgrade" only to "WebSocket".' and '"Connection" must be "Upgrade".' of tornado
        symptom, field = "websocket-not-upgraded", "Upgrade, Connection"
        if message.startswith('"Connection"'):
            field = "Connection"
    elif answer.status == 426:
        version = answer.field("Sec-WebSocket-Version")
        symptom, field = "websocket-not-upgraded", "Upgrade, Connection"
        if version:
            symptom, field = "websocket-version", "Sec-WebSocket-Version"
    elif without_origin is not None and without_origin.status == 101:
        received = f"{answer.received.rstrip('.')}. Without Origin the same handshake gets 101"
        return Finding("origin-refused", "Origin", answer.sent, received)
    elif answer.status not in (401, 403):
        field = ""
    return Finding(symptom, field, answer.sent, answer.received)


def judge_subprotocol(answer: Answer) -> Finding | None:
    """Judge the subprotocol of a kernel's handshake. Browsers end a connection without it."""
    selected = answer.field("Sec-WebSocket-Protocol")
    if selected == SUBPROTOCOL:
        return None
    received = f"{answer.received}, Sec-WebSocket-Protocol: {selected or '(none)'}"
    return Finding("subprotocol-lost", "Sec-WebSocket-Protocol", answer.sent, received)


def judge_http2_handshake(sent: str, status: int | None) -> Finding | None:
    """Judge a handshake over HTTP/2.

    Args:
        sent: The handshake in words.
        status: None if browsers do not try it there; 0 if the stream was reset.
    """
    if status in (None, 200):
        return None
    received = f"{status}" if status else "the stream was reset"
    return Finding("extended-connect", "SETTINGS_ENABLE_CONNECT_PROTOCOL", sent, received)


def judge_large_message(sent: str, ended: str) -> Finding | None:
    """Judge a large message.

    Args:
        sent: What was sent, and in which direction.
        ended: How the connection ended before the message was there; empty if it arrived.
    """
    return Finding("message-limit", "the length of a message", sent, ended) if ended else None


def judge_silence(sent: str, ended: str, seconds: float) -> Finding | None:
    """Judge a WebSocket on which nothing was said.

    Args:
        sent: Which WebSocket.
        ended: How the connection ended; empty if it is still open.
        seconds: After which time.
    """
    if not ended:
        return None
    return Finding("idle-timeout", "", sent, f"{ended} after {seconds:.0f} s of silence")

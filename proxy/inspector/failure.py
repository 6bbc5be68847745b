"""Why an exchange failed, in words.

Tested by tests/inspector/test_recorder.py and tests/admin/test_replay.py.
"""

from __future__ import annotations

from proxy.inspector.captured_text import captured_value
from proxy.inspector.exchange import Exchange
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead, ResponseHead
from proxy.rules.site import Site, make_site
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from proxy.symptoms.explanation import Explanation, explained


def explain_failure(
    exchange: Exchange, record: Record, refusal: Refuse | None, site: Site, content: bytes
) -> None:
    """Note in ``exchange`` why it failed, in the doctor's words.

    Args:
        exchange: What was captured of it.
        record: What the proxying noted.
        refusal: Why labgate refused it; None if it did not.
        site: What the rules decided by.
        content: The beginning of the response's content.
    """
    explanation = explain(
        Evidence(
            site,
            record.head,
            exchange.status,
            refusal=refusal,
            sent=record.upstream_request,
            answered=record.upstream_response,
            content=content,
            outcome=record.outcome,
        )
    )
    _note(exchange, explanation, record.head.arrival)


def explain_replayed(
    exchange: Exchange, head: RequestHead, address: UpstreamAddress, content: bytes
) -> None:
    """Note why a request failed that the inspector itself has sent to Jupyter.

    Args:
        exchange: What was captured of it.
        head: What was sent.
        address: Whom it was sent to.
        content: The beginning of the response's content.
    """
    explanation: Explanation | None
    if exchange.answered is None:
        sentence = f"Jupyter at {address} did not answer. Is it there, and does it speak HTTP?"
        explanation = explained("upstream-down", sentence)
    else:
        origin = address.origin
        site = make_site((origin,), origin, base_path=address.base_path)
        answered = ResponseHead(exchange.status, b"", ())
        explanation = explain(
            Evidence(site, head, exchange.status, sent=head, answered=answered, content=content)
        )
    _note(exchange, explanation, head.arrival)


def _note(exchange: Exchange, explanation: Explanation | None, arrival: Arrival) -> None:
    if explanation is None:
        return
    exchange.symptom = explanation.symptom.id
    exchange.explanation = explanation.sentence
    if arrival.login_left_out and exchange.symptom in _OF_THE_LOGIN:
        # No proxy took it away: secrets are never captured, so the inspector could not send it.
        exchange.symptom = "login-missing"
        exchange.explanation = (
            f"Jupyter answered {exchange.status} because the inspector sent this again without "
            "credentials, which are never captured. Send it again with Jupyter's token in the "
            "field for it."
        )


_OF_THE_LOGIN = ("cookies-lost", "login-missing", "websocket-refused", "xsrf-lost")
"""Symptoms of a request that came without a login, whoever is to blame."""


def reason_of(refusal: Refuse) -> str:
    """Why a request was refused: the field at fault and its value, what is said, what to do."""
    parts = [refusal.sentence]
    if refusal.field:
        name, value = refusal.field, refusal.value
        shown = (
            "there is none" if value is None else repr(captured_value(name.encode("ascii"), value))
        )
        parts.insert(0, f"{name}: {shown}.")
    if refusal.hint:
        parts.append(f"({refusal.hint})")
    return " ".join(part for part in parts if part)

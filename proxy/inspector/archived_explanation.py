"""Why an exchange of an archive failed: what labgate wrote there, else what the archive tells.

Tested by tests/inspector/test_archived_explanation.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from proxy.inspector.exchange import READ_IN, Exchange
from proxy.rules.head import Arrival, RequestHead, ResponseHead
from proxy.rules.redaction import redact_phrase
from proxy.rules.site import WebOrigin, make_site
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from proxy.symptoms.table import SYMPTOMS

SAID_OF_IT = ("rule", "reason", "would_refuse", "symptom", "explanation")
"""The attributes of an exchange that an archive keeps in ``_labgate``."""
_MAX_TEXT_CHARACTERS = 2000
_MAX_REASON_OCTETS = 1024
_SCHEMES: dict[str, Literal["http", "https"]] = {
    "http": "http",
    "https": "https",
    "ws": "http",
    "wss": "https",
}


_OF_A_LOGIN = frozenset(
    {"cookies-lost", "login-missing", "login-refused", "websocket-refused", "xsrf-lost"}
)
"""Symptoms that a request without Cookie shows, also where only its archive has none."""
_PATHS = re.compile(
    "/api/(contents|kernels|kernelspecs|terminals|security/csp-report)|/(lab|hub)/api/|/static/lab/"
)
_CREDENTIALS = ("cookie", "authorization")


@dataclass(frozen=True, slots=True)
class ArchiveTraits:
    """What a whole archive tells of each of its exchanges.

    Attributes:
        credentials: Whether any request has Cookie or Authorization: browsers leave both out of
            an archive, unless they are asked for sensitive data.
        jupyters: The authorities at which something answers as only Jupyter does.
    """

    credentials: bool
    jupyters: frozenset[str]


def traits_of(exchanges: Iterable[Exchange]) -> ArchiveTraits:
    """Those of the archive that these were read from."""
    credentials, jupyters = False, set()
    for exchange in exchanges:
        names = [name.lower() for name, _ in exchange.received.fields]
        credentials = credentials or any(name in names for name in _CREDENTIALS)
        if _is_jupyters(exchange):
            jupyters.add(exchange.received.value("host").lower())
    return ArchiveTraits(credentials, frozenset(jupyters))


def _is_jupyters(exchange: Exchange) -> bool:
    answer = exchange.sent_down
    if answer is None:
        return False
    return (
        _PATHS.search(exchange.target.partition("?")[0]) is not None
        or answer.value("server").startswith("TornadoServer")
        or bool(answer.value("x-jupyterhub-version"))
        or "/api/security/csp-report" in answer.value("content-security-policy")
    )


def explain_entry(exchange: Exchange, entry: Mapping[str, Any], archive: ArchiveTraits) -> None:
    """Note in ``exchange`` why it failed.

    Args:
        exchange: What was read of the entry.
        entry: Of a HAR; a stranger may have written it.
        archive: What the other entries tell.
    """
    known = entry.get("_labgate")
    own = False
    if isinstance(known, Mapping):
        # Of what passed labgate, a field that is not there did not come.
        own = known.get("outcome") != READ_IN
        exchange.rule, exchange.reason = _text(known.get("rule")), _text(known.get("reason"))
        exchange.would_refuse = known.get("would_refuse") is True
        if known.get("symptom") in SYMPTOMS:
            exchange.symptom = str(known["symptom"])
            exchange.explanation = _text(known.get("explanation"))
            return
    url = urlsplit(str(entry["request"]["url"]))
    origin = _origin(url)
    # What labgate refused never came to Jupyter.
    if origin is None or (exchange.rule and not exchange.would_refuse):
        return
    explanation = explain(
        Evidence(
            make_site((origin,), origin),
            _head(exchange.method, url, entry["request"]),
            exchange.status,
            answered=ResponseHead(exchange.status, b"", ()),
            content=_content(entry["response"]),
        )
    )
    if explanation is None:
        return
    jupyters = own or exchange.received.value("host").lower() in archive.jupyters
    answered = f"{'Jupyter' if jupyters else 'The server'} answered {exchange.status}"
    of_a_login = explanation.symptom.id in _OF_A_LOGIN and explanation.field == "Cookie"
    if of_a_login and not (own or archive.credentials):
        exchange.explanation = (
            f"{answered}. Whether the login or its _xsrf is to blame cannot be told: no request of "
            "this archive has Cookie or Authorization, which browsers leave out. Export it with "
            "sensitive data; they are redacted when it is read in."
        )
    elif not jupyters:
        exchange.explanation = (
            f"{answered}. Nothing in this archive shows that it is a Jupyter, so what Jupyter "
            "checks explains nothing here."
        )
    else:
        exchange.symptom = explanation.symptom.id
        exchange.explanation = explanation.sentence


def _text(given: Any) -> str:
    """What stands in an archive, without secrets, for a terminal too."""
    if not isinstance(given, str):
        return ""
    shown = redact_phrase(given[:_MAX_TEXT_CHARACTERS].encode("utf-8")).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in shown)


def _origin(url: SplitResult) -> WebOrigin | None:
    """Of the page, if it is one of the web."""
    scheme = _SCHEMES.get(url.scheme)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        return None
    if scheme is None or not host or not host.isascii():
        return None
    return WebOrigin(scheme, host, port or (443 if scheme == "https" else 80))


def _head(method: str, url: SplitResult, request: Mapping[str, Any]) -> RequestHead:
    fields = [
        (str(one["name"]).encode("utf-8"), str(one["value"]).encode("utf-8"))
        for one in request.get("headers", ())
        if not str(one["name"]).startswith(":")
    ]
    if not any(name.lower() == b"host" for name, _ in fields):
        # HTTP/2 has :authority in its place.
        fields.insert(0, (b"Host", url.netloc.rpartition("@")[2].encode("utf-8")))
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    return RequestHead(
        method.encode("utf-8"), target.encode("utf-8"), (1, 1), tuple(fields), Arrival("")
    )


def _content(response: Mapping[str, Any]) -> bytes:
    content = response.get("content")
    if not isinstance(content, Mapping) or content.get("encoding"):
        return b""
    return str(content.get("text") or "")[:_MAX_REASON_OCTETS].encode("utf-8")

"""Exchanges as an HTTP Archive (HAR 1.2), and back.

Chromium's DevTools and mitmproxy read what is written here, and what they write is read. What HAR
has no place for stands in ``_labgate``; WebSocket messages stand in ``_webSocketMessages``, as
DevTools write them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from proxy import __version__
from proxy.inspector.archived_explanation import SAID_OF_IT, explain_entry, traits_of
from proxy.inspector.captured_text import captured_fields
from proxy.inspector.content import redacted_text
from proxy.inspector.exchange import (
    READ_IN,
    CapturedContent,
    CapturedHead,
    CapturedMessage,
    Exchange,
    Pair,
    Times,
)
from proxy.rules.redaction import printable, redact_phrase, redact_target

MAX_ENTRIES = 5000
_MAX_TEXT = 32 * 1024
_OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


class HarError(ValueError):
    """What was given is no HTTP Archive."""


def to_har(exchanges: Iterable[Exchange]) -> dict[str, Any]:
    """An archive of exchanges that have a response."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "labgate", "version": __version__},
            "entries": [_entry(exchange) for exchange in exchanges if exchange.sent_down],
        }
    }


def _entry(exchange: Exchange) -> dict[str, Any]:
    times = exchange.times
    last = times.last_octet if times.last_octet is not None else (times.sent_down or 0.0)
    sent_up = times.sent_up or 0.0
    first = times.first_octet or times.sent_down or last
    entry: dict[str, Any] = {
        "startedDateTime": datetime.fromtimestamp(exchange.started, UTC).isoformat(),
        "time": _milliseconds(last),
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {
            "blocked": _milliseconds(sent_up),
            "dns": -1,
            "connect": -1,
            "ssl": -1,
            "send": 0,
            "wait": _milliseconds(first - sent_up),
            "receive": _milliseconds(last - first),
        },
        "_labgate": _extension(exchange),
    }
    if exchange.websocket:
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = [
            {
                "type": "send" if message.up else "receive",
                "time": exchange.started + message.at,
                "opcode": _OPCODES.get(message.kind, 0),
                "data": message.text or message.words,
            }
            for message in exchange.messages
        ]
    return entry


def _request(exchange: Exchange) -> dict[str, Any]:
    query = urlsplit(exchange.target).query if "?" in exchange.target else ""
    request: dict[str, Any] = {
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": exchange.received.line.rpartition(" ")[2],
        "cookies": [],
        "headers": _headers(exchange.received),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": exchange.bytes_up,
    }
    if exchange.content_up is not None and exchange.content_up.text:
        request["postData"] = {
            "mimeType": exchange.received.value("content-type"),
            "text": exchange.content_up.text,
        }
    return request


def _response(exchange: Exchange) -> dict[str, Any]:
    head = exchange.sent_down or CapturedHead("", ())
    content: dict[str, Any] = {
        "size": exchange.bytes_down,
        "mimeType": head.value("content-type"),
    }
    if exchange.content_down is not None and exchange.content_down.text:
        content["text"] = exchange.content_down.text
    return {
        "status": exchange.status,
        "statusText": " ".join(head.line.split(" ")[2:]),
        "httpVersion": head.line.partition(" ")[0] or "HTTP/1.1",
        "cookies": [],
        "headers": _headers(head),
        "content": content,
        "redirectURL": head.value("location"),
        "headersSize": -1,
        "bodySize": exchange.bytes_down,
    }


def _headers(head: CapturedHead) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in head.fields]


def _extension(exchange: Exchange) -> dict[str, Any]:
    details = exchange.details()
    names = ("peer", "route", "outcome", *SAID_OF_IT)
    return {name: details[name] for name in (*names, "sent_up", "answered") if details[name]}


def _milliseconds(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)


def from_har(archive: Any) -> list[Exchange]:
    """The exchanges of an archive, redacted as if they had been captured here.

    Raises:
        HarError: It is no archive.
    """
    log = archive.get("log") if isinstance(archive, Mapping) else None
    entries = log.get("entries") if isinstance(log, Mapping) else None
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise HarError("this is no HTTP Archive: it has no log.entries")
    if len(entries) > MAX_ENTRIES:
        raise HarError(f"it has {len(entries)} entries; at most {MAX_ENTRIES} are read")
    exchanges: list[Exchange] = []
    for place, entry in enumerate(entries):
        with _reading(place):
            exchanges.append(_exchange(entry))
    traits = traits_of(exchanges)
    for place, (exchange, entry) in enumerate(zip(exchanges, entries, strict=True)):
        with _reading(place):
            explain_entry(exchange, entry, traits)
    return exchanges


@contextmanager
def _reading(place: int) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise HarError(f"log.entries[{place}] cannot be read: {error!r}") from None


def _exchange(entry: Mapping[str, Any]) -> Exchange:
    request, response = entry["request"], entry["response"]
    url = urlsplit(str(request["url"]))
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    shown = printable(redact_target(target.encode("utf-8")), 4096)
    method, version = printable(str(request["method"]).encode()), _version(request)
    status = int(response["status"])
    reason = printable(redact_phrase(str(response.get("statusText", "")).encode("utf-8")))
    exchange = Exchange(
        started=_started(str(entry["startedDateTime"])),
        peer="",
        method=method,
        target=shown,
        received=CapturedHead(f"{method} {shown} {version}", _received_fields(request, url)),
        scheme={"wss": "https", "ws": "http"}.get(url.scheme, url.scheme),
        sent_down=CapturedHead(
            f"{_version(response)} {status} {reason}".rstrip(), _fields(response)
        ),
        status=status,
        outcome=READ_IN,
        bytes_up=max(0, int(request.get("bodySize", 0))),
        bytes_down=max(0, int(response.get("content", {}).get("size", 0))),
        times=Times(last_octet=_finite(entry.get("time", 0)) / 1000),
        open=False,
    )
    exchange.content_up = _content(request.get("postData"), exchange.received)
    assert exchange.sent_down is not None, "it was given"
    exchange.content_down = _content(response.get("content"), exchange.sent_down)
    messages = entry.get("_webSocketMessages")
    exchange.websocket = messages is not None or status == 101
    exchange.messages = [_message(one, exchange.started) for one in messages or ()]
    return exchange


def _finite(number: Any) -> float:
    """A number that JSON knows (RFC 8259 section 6); what else is written no browser reads."""
    finite = float(number)
    if not isfinite(finite):
        raise ValueError(f"{finite} is no time")
    return finite


def _started(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _version(message: Mapping[str, Any]) -> str:
    version = printable(str(message.get("httpVersion") or "HTTP/1.1").encode())
    return version.upper() if version.lower().startswith("http") else "HTTP/1.1"


def _received_fields(request: Mapping[str, Any], url: SplitResult) -> tuple[Pair, ...]:
    fields = _fields(request)
    if any(name.lower() == "host" for name, _ in fields):
        return fields
    # A browser writes :authority, or nothing, for HTTP/2.
    host = url.netloc.rpartition("@")[2].encode("utf-8")
    return (*captured_fields([(b"Host", host)]), *fields)


def _fields(message: Mapping[str, Any]) -> tuple[Pair, ...]:
    return captured_fields(
        [
            (str(one["name"]).encode("utf-8"), str(one["value"]).encode("utf-8"))
            for one in message.get("headers", ())
        ]
    )


def _content(given: Any, head: CapturedHead) -> CapturedContent | None:
    if not isinstance(given, Mapping) or not given.get("text") or given.get("encoding"):
        return None
    data = str(given["text"]).encode("utf-8")
    shown = data[:_MAX_TEXT]
    whole = len(shown) == len(data)
    kind = str(given.get("mimeType") or head.value("content-type"))
    return CapturedContent(redacted_text(shown, kind, whole=whole), len(data), whole)


def _message(one: Mapping[str, Any], started: float) -> CapturedMessage:
    data = str(one.get("data", "")).encode("utf-8")
    opcode = int(one.get("opcode", 1))
    kind = next((name for name, number in _OPCODES.items() if number == opcode), "unknown")
    text = redacted_text(data[:_MAX_TEXT], "application/json", whole=len(data) <= _MAX_TEXT)
    at = _finite(one.get("time", started)) - started
    return CapturedMessage(at, one.get("type") == "send", kind, 1, len(data), text=text)

"""A request as a line for curl; tested by tests/inspector/test_curl.py with a real shell."""

from __future__ import annotations

import re
import shlex

from proxy.inspector.exchange import READ_IN, Exchange
from proxy.rules.redaction import REDACTED

_HIDDEN = REDACTED.decode("ascii")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CURLS_OWN = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}
)


def to_curl(exchange: Exchange) -> str:
    """The request that the client sent, quoted for a POSIX shell.

    Secrets were never captured: where they stood there is ``[redacted]``, to be replaced by hand.
    An archive may come from a stranger, so nothing in it may be an option of curl, or name a file
    of this machine. Empty if no line can ask for the same: the target is no path.
    """
    if not exchange.target.startswith("/") or exchange.scheme not in ("https", "http"):
        return ""
    words = ["curl", "-i"]
    if exchange.method != "GET":
        # HEAD as a method of its own would make curl wait for content.
        words += ["-I"] if exchange.method == "HEAD" else ["-X", exchange.method]
    for name, value in exchange.received.fields:
        # curl reads the fields in a file whose name stands behind an @.
        if name.lower() not in _CURLS_OWN and _FIELD_NAME.fullmatch(name):
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
    content = exchange.content_up
    if content is not None and content.text and content.whole:
        words += ["--data-raw", content.text]
    words += ["--path-as-is", "--globoff", "--url", exchange.url]
    return " ".join(shlex.quote(word) for word in words)


def missing_from_curl(exchange: Exchange) -> str:
    """What has to be put into the line before it works, as sentences; empty for nothing."""
    said = []
    if _HIDDEN in to_curl(exchange):
        said.append(f"Secrets were never captured: put them in where it says {_HIDDEN}.")
    if missing := missing_content(exchange):
        said.append(missing)
    return " ".join(said)


def missing_content(exchange: Exchange) -> str:
    """Why the request's content is not whole here, and what to do; empty if it is."""
    content, declared = exchange.content_up, exchange.received.value("content-length")
    # Of what was refused, or found nobody, nothing went up.
    octets = exchange.bytes_up or (int(declared) if declared.isdecimal() else 0)
    if exchange.websocket or not octets or (content and content.text and content.whole):
        return ""
    if content is None:
        return f"Its content of {octets} octets {_why_none(exchange)}"
    kept = "only the beginning was kept" if content.text else "it is no text"
    return f"Of its content of {octets} octets {kept}: put it in."


def _why_none(exchange: Exchange) -> str:
    """Why nothing of the request's content is here, and what to do."""
    if exchange.outcome == READ_IN:
        return "is not in the archive as text: put it in."
    if exchange.open:
        return "is shown when the exchange has ended, if Content was on when it began."
    if exchange.sent_up is None:
        return "was not captured, because nothing of it was passed on: put it in."
    return (
        "was not captured: put it in, or switch Content on (--content) and let the client send it "
        "again."
    )

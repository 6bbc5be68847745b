"""A request as a line for curl; tested by tests/inspector/test_curl.py with a real shell."""

from __future__ import annotations

import re
import shlex

from proxy.inspector.exchange import Exchange

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

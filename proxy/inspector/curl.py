"""A request as a line for curl; tested by tests/inspector/test_curl.py with a real shell."""

from __future__ import annotations

import shlex

from proxy.inspector.exchange import Exchange

_CURLS_OWN = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}
)


def to_curl(exchange: Exchange) -> str:
    """The request that the client sent, quoted for a POSIX shell.

    Secrets were never captured: where they stood there is ``[redacted]``, to be replaced by hand.
    """
    words = ["curl", "-i"]
    if exchange.method != "GET":
        # HEAD as a method of its own would make curl wait for content.
        words += ["-I"] if exchange.method == "HEAD" else ["-X", exchange.method]
    for name, value in exchange.received.fields:
        if name.lower() not in _CURLS_OWN:
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
    content = exchange.content_up
    if content is not None and content.text and content.whole:
        words += ["--data-binary", content.text]
    words += ["--path-as-is", "--globoff", exchange.url]
    return " ".join(shlex.quote(word) for word in words)

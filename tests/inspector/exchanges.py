"""Exchanges for tests."""

from __future__ import annotations

from typing import Any

from proxy.inspector.exchange import CapturedHead, Exchange


def exchange(
    method: str = "GET", target: str = "/lab", status: int = 200, **known: Any
) -> Exchange:
    """A whole exchange, as the recorder leaves it."""
    host = ("Host", "lab.example.org")
    values: dict[str, Any] = {
        "started": 1_700_000_000.0,
        "peer": "203.0.113.7",
        "method": method,
        "target": target,
        "received": CapturedHead(f"{method} {target} HTTP/1.1", (host, ("Accept", "*/*"))),
        "sent_down": CapturedHead(f"HTTP/1.1 {status} Whatever", (("Content-Type", "text/plain"),)),
        "status": status,
        "outcome": "forwarded",
        "open": False,
    }
    return Exchange(**values | known)

"""The lines that mend what is wrong with an exchange, for each server that can cause it.

Tested by tests/inspector/test_mends.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from proxy.inspector.exchange import CapturedHead, Exchange
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.site import WebOrigin
from proxy.symptoms.model import SYMPTOMS, joined, mend

_SERVERS = (
    ("caddy", "caddy"),
    ("openresty", "nginx"),
    ("nginx", "nginx"),
    ("traefik", "traefik"),
    ("haproxy", "haproxy"),
    ("apache", "apache"),
)
"""Words in Via and Server, and the server as ``proxy.symptoms`` names it."""

NAMES = {
    "nginx": "nginx",
    "caddy": "Caddy",
    "traefik": "Traefik",
    "haproxy": "HAProxy",
    "apache": "Apache",
    "jupyter": "jupyter_server_config.py",
    "labgate": "labgate.toml",
}
"""As people write them, by the names in ``proxy.symptoms``."""

_HOST = re.compile(r"[0-9a-z._:-]+")


def mend_facts(
    site: WebOrigin, upstream: UpstreamAddress | None, *, launched: bool = False
) -> dict[str, str]:
    """What stands in the lines.

    Args:
        site: The public address.
        upstream: Jupyter's; None if it is not known.
        launched: Whether labgate launches it.
    """
    facts = {"domain": site.host, "port": str(site.port)}
    if launched:
        facts["launched"] = "yes"
    if upstream is not None:
        facts["path"] = upstream.base_path
        if upstream.path is None:
            facts["upstream"] = upstream.origin.spelled_out
    return facts


def archived_facts(exchange: Exchange) -> dict[str, str]:
    """As ``mend_facts``, of an exchange that was read from an archive: its site may be any.

    A stranger may have written it: what is no name of a host would be pasted as configuration.
    """
    try:
        url = urlsplit(exchange.url)
        host, port = url.hostname or "", url.port
    except ValueError:
        return {}
    if not _HOST.fullmatch(host):
        return {}
    host = f"[{host}]" if ":" in host else host
    return {"domain": host, "port": str(port or (443 if url.scheme == "https" else 80))}


def cause_and_mends(
    exchange: Exchange, facts: Mapping[str, str], no_lines_for: Collection[str] = ()
) -> dict[str, Any]:
    """``title`` and ``check`` of its symptom, and its ``mends``, for JSON.

    A mend has ``server``, ``name``, ``lines``, ``joined`` (how it goes with the others; empty for
    a proxy's own) and ``recognised``: whether the exchange names this server as one that it
    passed. Such a one comes first.

    Args:
        exchange: What was captured.
        facts: What stands in the lines.
        no_lines_for: Servers that are not configured by lines here.
    """
    symptom = SYMPTOMS.get(exchange.symptom)
    if symptom is None:
        return {"title": "", "check": "", "mends": []}
    passed = recognised(exchange)
    found = mend(symptom.id, facts).items()
    lines_by_server = {server: lines for server, lines in found if server not in no_lines_for}
    mends = [
        {
            "server": server,
            "name": NAMES[server],
            "lines": lines,
            "joined": joined(symptom.id, server) if len(lines_by_server) > 1 else "",
            "recognised": server in passed,
        }
        for server, lines in lines_by_server.items()
    ]
    mends.sort(key=lambda one: not one["recognised"])
    return {"title": symptom.title, "check": symptom.check, "mends": mends}


def recognised(exchange: Exchange) -> frozenset[str]:
    """The servers that wrote their name into the exchange's Via and Server fields."""
    values = [value.lower() for head in _from_others(exchange) for value in _names_in(head)]
    return frozenset(server for word, server in _SERVERS if any(word in value for value in values))


def _from_others(exchange: Exchange) -> Iterator[CapturedHead]:
    """The heads that labgate did not write itself."""
    yield exchange.received
    if exchange.answered is not None:
        yield exchange.answered
    elif exchange.sent_down is not None and exchange.sent_up is None:
        # In an archive it is the head that the browser got.
        yield exchange.sent_down


def _names_in(head: CapturedHead) -> Iterator[str]:
    for name, value in head.fields:
        if name.lower() in ("via", "server"):
            yield value

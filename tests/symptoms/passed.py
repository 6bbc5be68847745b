"""Exchanges of a lab, short to write in a table."""

from __future__ import annotations

from dataclasses import replace

from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Tunnel
from proxy.rules.head import Arrival, Field, RequestHead, ResponseHead
from proxy.rules.pass_through import PassThrough
from proxy.rules.request import upstream_fields
from proxy.rules.site import Site, WebOrigin, make_site
from proxy.symptoms.evidence import Evidence

UPSTREAM = WebOrigin("http", "127.0.0.1", 8888)
SITE = make_site((WebOrigin("https", "lab.example.org", 443),), UPSTREAM)
PORT = make_site((WebOrigin("https", "lab.example.org", 8443),), UPSTREAM)
BENCH = make_site((WebOrigin("http", "localhost", 8080),), UPSTREAM)
"""As of ``labgate inspect --upstream``, perhaps behind another proxy."""
PRESERVED = replace(SITE, preserve=True)
HUB = replace(SITE, preserve=True, pass_through=PassThrough())
"""In front of a JupyterHub."""
LOGIN = (b"Cookie", b"username-lab-example-org=2|1:0; _xsrf=2|abc")
XSRF = (b"X-XSRFToken", b"2|abc")
OWN = (b"Origin", b"https://lab.example.org")
KEY = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
KERNEL = "GET /api/kernels/1/channels"


def head(line: str, *fields: Field, host: bytes | None = b"lab.example.org") -> RequestHead:
    method, target = line.encode().split(b" ")
    hosts = () if host is None else ((b"Host", host),)
    return RequestHead(method, target, (1, 1), (*hosts, *fields), Arrival("203.0.113.7"))


def answered(
    received: RequestHead,
    status: int,
    *,
    sent: RequestHead | None = None,
    content: bytes = b"",
    site: Site = SITE,
) -> Evidence:
    """Jupyter answered, to what labgate sends up: in observe mode also what it would refuse."""
    decision = decide(received, site)
    if sent is None and isinstance(decision, Forward | Tunnel):
        websocket = isinstance(decision, Tunnel)
        sent = replace(received, fields=tuple(upstream_fields(received, site, websocket=websocket)))
    response = ResponseHead(status, b"", ())
    return Evidence(site, received, status, None, sent or received, response, content)

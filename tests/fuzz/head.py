"""The path of a request head: octets in, the octets that go up to Jupyter out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httptools

from proxy.http1.connection_states import ClientState
from proxy.http1.request_parser import RequestParser
from proxy.http1.request_writer import REQUEST_HEAD, serialize_fields
from proxy.net.limits import DEFAULT_LIMITS
from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Tunnel
from proxy.rules.head import Arrival, Field, RequestHead
from proxy.rules.request import CLIENT_CLAIMS, upstream_fields
from tests.heads import SITE

OURS = {
    *(b"x-real-ip", b"x-request-id"),
    *(b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"),
}
NEVER = {b"te", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"trailer"}

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEAD = re.compile(
    TOKEN + rb" [!-~]+ HTTP/1\.[0-9]\r\n"
    rb"(?:" + TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n"
)
"""RFC 9112 sections 3 and 5 in one spelling: what is let through is nothing else."""


class Received:
    """What an independent parser (llhttp, by httptools) makes of the octets that go up."""

    def __init__(self, octets: bytes) -> None:
        self.target = b""
        self.fields: list[Field] = []
        self.heads = 0
        self.read = len(octets)
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(octets)
        except httptools.HttpParserUpgrade as upgrade:
            self.read = upgrade.args[0]
        self.method = self._parser.get_method()

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.heads += 1


def heads(data: bytes) -> Iterator[tuple[bytes, ClientState, RequestHead]]:
    """The whole heads that the parser lets through, what it expects behind, and as read."""
    parser = RequestParser(DEFAULT_LIMITS)
    while data:
        reads = parser.state
        piece, data = parser.read(data)
        if reads is ClientState.HEAD and isinstance(piece, bytes):
            method, target, version = parser.request_line
            arrival = Arrival("203.0.113.7")
            fields = parser.section.fields
            head = RequestHead(method, target, version, fields, arrival, parser.section)
            yield piece, parser.state, head
        if parser.state is ClientState.DONE:
            parser.next_request()


def framing_of(fields: list[Field]) -> tuple[int, bool]:
    """Octets of content, and whether it comes in chunks."""
    lengths = [int(value) for name, value in fields if name == b"content-length"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    assert codings in ([], [b"chunked"])
    return sum(lengths), bool(codings)


def check(data: bytes) -> None:
    """Whatever comes in: what goes up is one request, and the one that came."""
    for octets, behind, head in heads(data):
        decision = decide(head, SITE)
        if isinstance(decision, Forward | Tunnel):
            check_forwarded(octets, behind, decision)


def check_forwarded(octets: bytes, behind: ClientState, decision: Forward | Tunnel) -> None:
    """What goes up for one head that is let through."""
    head = decision.head
    fields = upstream_fields(head, SITE, websocket=isinstance(decision, Tunnel))
    up = REQUEST_HEAD % (head.method, head.target, serialize_fields(fields), b"1")
    received = Received(up)
    target = octets.split(b" ", 2)[1]
    assert HEAD.fullmatch(octets), "what is no head was let through"
    assert HEAD.fullmatch(up)
    assert received.heads == 1
    assert received.read == len(up), "octets are left behind the head"
    assert octets.startswith(received.method + b" ")
    assert received.target == head.target
    assert received.target == target or b"://" in target
    names = [name for name, _ in received.fields]
    assert names.count(b"host") == 1
    assert (b"host", SITE.upstream.authority.encode("ascii")) in received.fields
    assert not NEVER.intersection(names)
    assert all(names.count(name) == 1 for name in OURS)
    assert not (CLIENT_CLAIMS - OURS).intersection(names)
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert framing_of(received.fields) == framing_of(
        [(name.lower(), value) for name, value in head.fields]
    )
    length, chunked = framing_of(received.fields)
    expected = (
        ClientState.CHUNKED_BODY if chunked else ClientState.BODY if length else ClientState.DONE
    )
    assert behind is expected, "the parser and llhttp disagree about its content"
    assert (b"upgrade" in names) == isinstance(decision, Tunnel)
    for name, value in received.fields:
        if name == b"origin":
            assert value == str(SITE.upstream).encode("ascii")

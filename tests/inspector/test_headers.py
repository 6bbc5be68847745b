"""The text of ``--show-headers``."""

from __future__ import annotations

from proxy.inspector.exchange import CapturedChange, CapturedHead
from proxy.inspector.filters import parse_filter
from proxy.inspector.headers import HeaderPrinter, format_exchange
from proxy.inspector.ring import Ring

from .exchanges import exchange

CHANGES_UP = (
    CapturedChange("host", "Host", "lab.example.org", "127.0.0.1:8888"),
    CapturedChange("hop-by-hop", "TE", "trailers", None),
    CapturedChange("forwarded", "X-Real-IP", None, "203.0.113.7"),
)
CHANGES_DOWN = (CapturedChange("set-cookie", "Set-Cookie", "a=b", "a=b; Secure"),)


def test_every_change_has_its_rule_and_its_mark() -> None:
    one = exchange(changes_up=CHANGES_UP, changes_down=CHANGES_DOWN)
    first, *changes = format_exchange(one).splitlines()
    assert first.startswith("20")
    assert first.endswith(" GET /lab from 203.0.113.7: 200 forwarded")
    assert changes == [
        "  up   host       ~ Host: lab.example.org => 127.0.0.1:8888",
        "  up   hop-by-hop - TE: trailers",
        "  up   forwarded  + X-Real-IP: 203.0.113.7",
        "  down set-cookie ~ Set-Cookie: a=b => a=b; Secure",
    ]


def test_what_went_wrong_is_shown_whole() -> None:
    head = CapturedHead("GET /lab HTTP/1.1", (("Host", "127.0.0.1:8888"),))
    one = exchange(status=404, sent_up=head, explanation="Because of this.\nMend it so.")
    assert format_exchange(one).splitlines()[1:] == [
        "  why  Because of this.",
        "  why  Mend it so.",
        "  the client sent:",
        "    GET /lab HTTP/1.1",
        "    Host: lab.example.org",
        "    Accept: */*",
        "  Jupyter received:",
        "    GET /lab HTTP/1.1",
        "    Host: 127.0.0.1:8888",
        "  the client got:",
        "    HTTP/1.1 404 Whatever",
        "    Content-Type: text/plain",
    ]


def test_refusals_name_the_rule() -> None:
    one = exchange(status=403, rule="origin", reason="Origin: 'null'.")
    assert "  why  rule origin refused it: Origin: 'null'." in format_exchange(one)
    one.would_refuse = True
    assert "  why  rule origin would refuse it: Origin: 'null'." in format_exchange(one)


def test_each_is_printed_once_and_a_websocket_when_it_opens() -> None:
    ring, lines = Ring(), list[str]()
    ring.listen(HeaderPrinter(parse_filter("-path:/quiet"), lines.append))
    get, socket = exchange(open=True), exchange(target="/ws", open=True)
    for one in (get, socket, exchange(target="/quiet")):
        ring.add(one)
    assert lines == []
    socket.websocket, socket.status = True, 101
    ring.update(socket)
    get.open = False
    ring.update(get)
    ring.grow(socket, 1)
    socket.open = False
    ring.update(socket)
    assert [line.split()[3] for line in lines] == ["/ws", "/lab"]

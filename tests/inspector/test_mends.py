"""Which lines to paste, and for which server first."""

from __future__ import annotations

import pytest

from proxy.inspector.exchange import CapturedHead, Pair
from proxy.inspector.mends import NAMES, archived_facts, cause_and_mends, mend_facts, recognised
from proxy.net.upstream_address import UpstreamAddress, parse_upstream
from proxy.rules.site import WebOrigin
from proxy.symptoms.mends import LINES

from .exchanges import exchange


def head(*fields: Pair) -> CapturedHead:
    return CapturedHead("", fields)


SERVERS = [
    (("Via", "1.1 Caddy"), {"caddy"}),
    (("via", "2.0 caddy, 1.1 front (Apache/2.4)"), {"caddy", "apache"}),
    (("Server", "openresty/1.25"), {"nginx"}),
    (("Server", "TornadoServer/6.4"), set()),
    (("X-Note", "nginx"), set()),
]


@pytest.mark.parametrize(("field", "servers"), SERVERS)
def test_the_server_that_was_passed(field: Pair, servers: set[str]) -> None:
    sent_up, none = head(("Server", "nginx")), head()
    for one in (
        exchange(received=head(field), sent_up=sent_up),
        exchange(received=none, sent_up=sent_up, answered=head(field)),
        exchange(received=none, sent_down=head(field)),
    ):
        assert recognised(one) == servers


def test_what_labgate_sent_is_no_sign() -> None:
    one = exchange(received=head(), sent_up=head(), sent_down=head(("Server", "nginx")))
    assert not recognised(one)


def test_the_recognised_one_comes_first() -> None:
    one = exchange(received=head(("Via", "1.1 front (Apache)")), symptom="websocket-not-upgraded")
    found = cause_and_mends(one, {"domain": "lab.example.org"})
    first, *others = found["mends"]
    assert (first["server"], first["name"], first["recognised"]) == ("apache", "Apache", True)
    assert others
    assert not any(other["recognised"] for other in others)
    assert found["title"]
    assert found["check"]


def test_nothing_wrong_has_no_mend() -> None:
    assert cause_and_mends(exchange(), {}) == {"title": "", "check": "", "mends": []}


def test_every_server_has_a_name() -> None:
    assert NAMES.keys() == LINES.keys()


def test_the_facts() -> None:
    site = WebOrigin("https", "lab.example.org", 8443)
    assert mend_facts(site, None) == {"domain": "lab.example.org", "port": "8443"}
    assert mend_facts(site, parse_upstream("http://127.0.0.1:8889/base")) == {
        "domain": "lab.example.org",
        "port": "8443",
        "path": "/base/",
        "upstream": "127.0.0.1:8889",
    }
    assert mend_facts(site, None, launched=True)["launched"] == "yes"
    socket = UpstreamAddress("localhost", 80, "/run/jupyter.sock")
    assert "upstream" not in mend_facts(site, socket)


@pytest.mark.parametrize(
    ("host", "scheme", "facts"),
    [
        ("Hub.Example.net:8443", "https", {"domain": "hub.example.net", "port": "8443"}),
        ("hub.example.net", "https", {"domain": "hub.example.net", "port": "443"}),
        ("[::1]", "http", {"domain": "[::1]", "port": "80"}),
        ("hub.example.net:nine", "https", {}),
        ("[::1", "https", {}),
        ("a;load_module", "https", {}),
        ('a"]', "https", {}),
    ],
)
def test_an_archive_has_a_site_of_its_own(host: str, scheme: str, facts: dict[str, str]) -> None:
    assert archived_facts(exchange(received=head(("Host", host)), scheme=scheme)) == facts

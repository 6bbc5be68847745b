"""Every refusal of the rules: what the client is told, what the log names, and whether the
connection closes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.rules.connection_names import ConnectionNames
from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Refuse, Respond
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.origin import OTHER_SITE, unnamed_hint
from proxy.rules.site import Site, make_site
from proxy.rules.syntax import check_head, check_lines, tls_handshake
from tests.heads import HOST, JUPYTER, LAB, SITE, get
from tests.rules.test_decide import CROSS, NAVIGATES, OUT, OWN, UPGRADE, WITH_LOGIN

ALLOWED = replace(SITE, allow=Networks([ip_network("192.0.2.0/24")]))
BESIDE_OTHERS = replace(SITE, refuse_dot_segments=True)
CHALLENGES = replace(SITE, challenges=True)
CHUNKED = b"Transfer-Encoding: chunked"


def at(version: tuple[int, int], head: RequestHead) -> RequestHead:
    return replace(head, version=version)


def refuse(
    status: int, rule: str, field: str = "", value: bytes | None = None, *, close: bool = False
) -> Refuse:
    """A refusal, without its sentence."""
    return Refuse(status, rule, "", field, value, close)


def on_connection_for(name: str, head: RequestHead) -> RequestHead:
    names = ConnectionNames(name, (name,))
    return replace(head, arrival=replace(head.arrival, names=names))


NO_DOTS = replace(
    refuse(400, "target"),
    hint="routes at this host are chosen by path, and an upstream may remove dot segments",
)
ABSOLUTE = b"http://lab.example.org/"
REFUSALS = [
    (get(HOST), ALLOWED, refuse(403, "allow-list", close=True)),
    (
        on_connection_for("www.example.org", get(HOST)),
        SITE,
        replace(
            refuse(421, "connection-name", "Host", b"lab.example.org"),
            hint="the client used a connection that it made for another name",
        ),
    ),
    # Version, method, framing, expectation.
    (at((3, 0), get(HOST)), SITE, refuse(505, "version", close=True)),
    (at((0, 9), get(HOST)), SITE, refuse(505, "version", close=True)),
    (get(HOST, method=b"get"), SITE, refuse(501, "method", close=True)),
    (
        at((1, 0), get(HOST, CHUNKED)),
        SITE,
        refuse(400, "transfer-encoding", "Transfer-Encoding", b"chunked", close=True),
    ),
    (
        get(HOST, CHUNKED, b"Content-Length: 0"),
        SITE,
        refuse(400, "transfer-encoding", "Transfer-Encoding", b"chunked", close=True),
    ),
    (
        get(HOST, b"Transfer-Encoding: gzip, chunked"),
        SITE,
        refuse(501, "transfer-encoding", "Transfer-Encoding", b"gzip, chunked", close=True),
    ),
    (
        get(HOST, b"Transfer-Encoding: gzip", b"Transfer-Encoding: Chunked"),
        SITE,
        refuse(501, "transfer-encoding", "Transfer-Encoding", b"gzip, Chunked", close=True),
    ),
    (
        get(HOST, b"Transfer-Encoding: chunked, chunked"),
        SITE,
        refuse(400, "transfer-encoding", "Transfer-Encoding", b"chunked, chunked", close=True),
    ),
    (
        get(HOST, b"Transfer-Encoding: chunked, gzip"),
        SITE,
        refuse(400, "transfer-encoding", "Transfer-Encoding", b"chunked, gzip", close=True),
    ),
    (
        get(HOST, b"Content-Length: 1", b"Content-Length: x"),
        SITE,
        refuse(400, "content-length", "Content-Length", b"1, x", close=True),
    ),
    (
        get(HOST, b"Expect: 100-continue", b"Expect: x"),
        SITE,
        refuse(417, "expect", "Expect", b"100-continue, x", close=True),
    ),
    # Request target.
    (get(HOST, method=b"CONNECT", target=b"x:1"), SITE, refuse(405, "target", close=True)),
    (get(HOST, target=b"/#x"), SITE, refuse(400, "target")),
    (get(HOST, target=b"*"), SITE, refuse(400, "target")),
    (get(HOST, target=b"x"), SITE, refuse(400, "target")),
    (get(HOST, target=b"http://a@x/"), SITE, refuse(400, "target")),
    (get(target=ABSOLUTE), SITE, refuse(400, "host", "Host", b"", close=True)),
    (
        get(HOST, b"Host: x", target=ABSOLUTE),
        SITE,
        refuse(400, "host", "Host", b"lab.example.org, x", close=True),
    ),
    (get(b"Host: a@x", target=ABSOLUTE), SITE, refuse(400, "host", "Host", b"a@x")),
    (get(HOST, target=b"/ada/../bob"), BESIDE_OTHERS, NO_DOTS),
    (get(HOST, OWN, *UPGRADE, target=b"/%2e%2e/x"), BESIDE_OTHERS, NO_DOTS),
    (get(HOST, target=ABSOLUTE + b"./x"), BESIDE_OTHERS, NO_DOTS),
    (get(HOST, target=b"/.."), replace(BESIDE_OTHERS, observe=True), NO_DOTS),
    # Host, Origin, Sec-Fetch-Site.
    (get(), SITE, refuse(400, "host", "Host", close=True)),
    (at((1, 0), get()), SITE, refuse(421, "host", "Host")),
    (get(HOST, b"Host: x"), SITE, refuse(400, "host", "Host", b"lab.example.org, x", close=True)),
    (
        at((1, 0), get(HOST, HOST)),
        SITE,
        refuse(400, "host", "Host", b"lab.example.org, lab.example.org", close=True),
    ),
    (get(b"Host: a@x"), SITE, refuse(400, "host", "Host", b"a@x")),
    (get(b"Host: x"), SITE, refuse(421, "host", "Host", b"x")),
    (get(HOST, b"Origin: null"), SITE, refuse(403, "origin", "Origin", b"null")),
    (
        get(HOST, OWN, b"Origin: null"),
        SITE,
        refuse(403, "origin", "Origin", b"https://lab.example.org, null"),
    ),
    (
        get(HOST, *UPGRADE),
        SITE,
        replace(
            refuse(403, "websocket-origin", "Origin"),
            hint="programs: send one, or set site.websocket_without_origin",
        ),
    ),
    (get(HOST, CROSS), SITE, refuse(403, "fetch-site", "Sec-Fetch-Site", b"cross-site")),
    (
        get(HOST, b"Sec-Fetch-Site: none", b"Sec-Fetch-Site: same-site", *NAVIGATES, method=b"PUT"),
        SITE,
        refuse(403, "fetch-site", "Sec-Fetch-Site", b"none, same-site"),
    ),
    (get(HOST, target=b"/logout"), SITE, refuse(403, "logout", "Referer")),
    (
        get(HOST, b"Referer: a", b"Referer: b", target=b"/logout"),
        SITE,
        refuse(403, "logout", "Referer", b"a, b"),
    ),
    # labgate's own paths.
    (get(HOST, target=OUT), SITE, refuse(404, "logout")),
    (
        get(HOST, OWN, target=OUT, method=b"PUT"),
        WITH_LOGIN,
        replace(refuse(405, "logout"), fields=((b"Allow", b"GET, HEAD, POST"),)),
    ),
    (get(HOST, target=OUT, method=b"POST"), WITH_LOGIN, refuse(403, "logout", "Origin")),
    (
        get(HOST, target=b"/.well-known/acme-challenge/x"),
        SITE,
        replace(refuse(404, "challenge"), hint="acme.webroot is not set"),
    ),
    (get(HOST, target=b"/.well-known/acme-challenge/"), CHALLENGES, refuse(404, "challenge")),
    # Max-Forwards.
    (get(HOST, b"Max-Forwards: 0", method=b"TRACE"), SITE, refuse(405, "max-forwards")),
    (
        get(HOST, b"Max-Forwards: 1", b"Max-Forwards: 2", method=b"TRACE"),
        SITE,
        refuse(400, "max-forwards", "Max-Forwards", b"1, 2"),
    ),
]


@pytest.mark.parametrize(("head", "site", "expected"), REFUSALS)
def test_a_request_is_refused(head: RequestHead, site: Site, expected: Refuse) -> None:
    decision = decide(head, site)
    assert isinstance(decision, Refuse)
    assert replace(decision, sentence="") == expected
    assert_is_a_sentence(decision.sentence)


def assert_is_a_sentence(text: str) -> None:
    """It goes to people, on a page of its own."""
    assert text[0].isupper(), text
    assert text.endswith("."), text
    assert not text.isupper(), text


SYNTAX = [
    (b"GET  / HTTP/1.1\r\n\r\n", refuse(400, "request-line", close=True)),
    (b"GET / HTTP/2.0\r\n\r\n", refuse(505, "version", close=True)),
    (b"PRI * HTTP/1.1\r\n\r\n", refuse(501, "method", close=True)),
    (b"GET /1234567890 HTTP/1.1\r\n\r\n", refuse(414, "request-line", close=True)),
    (b"GET / HTTP/1.1\r\nA: 1234567890\r\n\r\n", refuse(431, "fields", close=True)),
    (b"GET / HTTP/1.1\r\nA\r\n\r\n", refuse(400, "fields", close=True)),
]


@pytest.mark.parametrize(("octets", "expected"), SYNTAX)
def test_a_malformed_head_is_refused(octets: bytes, expected: Refuse) -> None:
    refusal = check_head(octets, 20, 16, 9)
    assert refusal is not None
    assert replace(refusal, sentence="") == expected
    assert_is_a_sentence(refusal.sentence)


def test_control_characters_are_refused() -> None:
    refusal = check_lines(b"GET /\0")
    assert refusal is not None
    assert replace(refusal, sentence="") == refuse(400, "control-characters", close=True)
    assert_is_a_sentence(refusal.sentence)


HELLO = b"\x16\x03\x01\x00\xf5\x01\x00\x00\xf1\x03\x03"
NO_HELLO = [b"", b"\x16\x02\x01", b"\x15\x03\x03", b"GET / HTTP/1.1\r\n", b"\r\n" + HELLO]


@pytest.mark.parametrize("octets", [HELLO, HELLO[:1], HELLO[:2], HELLO + b"\r\n\r\n"])
def test_a_tls_handshake_is_recognised(octets: bytes) -> None:
    refusal = tls_handshake(octets)
    assert refusal is not None
    assert (refusal.status, refusal.rule, refusal.close) == (400, "tls", True)
    assert refusal.hint == (
        "TLS where plain HTTP is spoken; the client, or a proxy in front, must use http:// "
        "for this port"
    )
    assert_is_a_sentence(refusal.sentence)


@pytest.mark.parametrize("octets", NO_HELLO)
def test_what_is_no_tls_handshake(octets: bytes) -> None:
    assert tls_handshake(octets) is None


def test_what_is_wrong_with_host_is_said() -> None:
    for lines, count in (((), "no"), ((HOST, HOST), "more than one")):
        decision = decide(get(*lines), SITE)
        assert isinstance(decision, Refuse)
        sentence = f"The request has {count} Host field; exactly one is needed."
        assert decision.sentence == sentence


def test_the_last_hop_of_options_is_labgate() -> None:
    decision = decide(get(HOST, b"Max-Forwards: 0", method=b"OPTIONS"), SITE)
    assert isinstance(decision, Respond)
    assert decision.status == 200
    assert_is_a_sentence(decision.sentence)


def test_what_to_do_about_a_logout_names_the_public_origin() -> None:
    """Only there: the request has passed the check of Host."""
    for head, site in (
        (get(HOST, target=b"/logout"), SITE),
        (get(HOST, target=OUT, method=b"POST"), WITH_LOGIN),
    ):
        decision = decide(head, site)
        assert isinstance(decision, Refuse)
        assert "https://lab.example.org" in decision.sentence


def test_the_log_hints_at_a_port_that_a_container_maps() -> None:
    site = make_site((LAB._replace(port=8443),), JUPYTER)
    decision = decide(get(b"Host: lab.example.org:9443"), site)
    assert isinstance(decision, Refuse)
    assert decision.hint == (
        "lab.example.org:9443 differs from the public lab.example.org:8443 in the port alone; "
        "where a NAT, a container or a proxy in front has another port, start with "
        "--domain lab.example.org:9443"
    )


LOST_PORT = (
    "Host says lab.example.org:443: where browsers open lab.example.org:9443, the proxy in front "
    "takes the port away; have it pass Host on as it comes (nginx: $http_host), and start with "
    "--domain lab.example.org:9443"
)


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        (b"https://LAB.example.org:9443", LOST_PORT),
        (b"HTTPS://lab.example.org:9443", LOST_PORT),
        (b"http://lab.example.org:9443", ""),
        (b"https://evil.example:9443", ""),
        (b"https://lab.example.org:0", ""),
        (b"https://lab.example.org:65536", ""),
        (b"https://lab.example.org:nine", ""),
        (b"https://lab.example.org:9443/", ""),
        (b"null", ""),
    ],
)
def test_the_log_hints_at_a_port_that_host_has_lost(origin: bytes, hint: str) -> None:
    decision = decide(get(HOST, b"Origin: " + origin), SITE)
    assert isinstance(decision, Refuse)
    assert (decision.rule, decision.hint) == ("origin", hint)


def test_the_log_hints_at_a_lost_port_without_tls() -> None:
    site = make_site((LAB._replace(scheme="http", port=80),), JUPYTER)
    for origin, hint in (
        (b"http://lab.example.org:8080", True),
        (b"https://lab.example.org", False),
    ):
        decision = decide(get(HOST, b"Origin: " + origin), site)
        assert isinstance(decision, Refuse)
        assert bool(decision.hint) is hint


@pytest.mark.parametrize(
    ("origin", "named"),
    [(b"https://lab.example.net:8443", "lab.example.net:8443"), (b"null", ""), (b"https://a/", "")],
)
def test_who_observes_learns_that_the_proxy_in_front_rewrites_host(
    origin: bytes, named: str
) -> None:
    decision = decide(get(HOST, b"Origin: " + origin), replace(SITE, observe=True))
    assert isinstance(decision, Forward)
    refusal = decision.would_refuse
    assert refusal is not None
    if named:
        sentence = "The page that sent this is at another name or port than Host says."
        assert refusal.sentence == sentence
        assert "nginx: proxy_set_header Host $http_host" in refusal.hint
        assert f"start with --domain {named};" in refusal.hint
    else:
        assert (refusal.sentence, refusal.hint) == (OTHER_SITE, "")


def test_who_observes_learns_where_a_name_would_be_let_in() -> None:
    assert unnamed_hint(b"lab.example.net\x1b") == (
        "labgate lets it in where it is named with --domain lab.example.net\\x1b, as `labgate "
        "serve` takes it; who observes may name only this machine"
    )

"""The policy as a table: a request, and what happens to it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.rules.decide import decide, depends_on_target, is_own_path, own_path, web_app_head
from proxy.rules.decision import (
    Forward,
    Internal,
    Redirect,
    Refuse,
    Respond,
    Tunnel,
)
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.networks import Networks
from proxy.rules.origin import first_segment
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site, WebOrigin, make_site
from tests.heads import HOST, JUPYTER, LAB, LOCAL, SITE, get

OWN = b"Origin: https://lab.example.org"
UPGRADE = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket")
NAVIGATES = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document")
CROSS = b"Sec-Fetch-Site: cross-site"

PASSES = [
    pytest.param(get(HOST), id="a plain GET"),
    pytest.param(get(b"HOST: LAB.example.ORG"), id="Host in another case"),
    pytest.param(get(b"Host: lab.example.org:443"), id="Host with the default port"),
    pytest.param(get(b"Host: localhost:8443"), id="the second domain"),
    pytest.param(get(HOST, OWN, method=b"POST"), id="our own Origin"),
    pytest.param(get(HOST, b"Origin: https://LAB.example.org:443"), id="Origin spelled out"),
    pytest.param(get(HOST, b"Origin: https://localhost:8443"), id="our other Origin"),
    pytest.param(get(HOST, b"Sec-Fetch-Site: same-origin"), id="same-origin fetch"),
    pytest.param(get(HOST, b"Sec-Fetch-Site: none"), id="typed address"),
    pytest.param(get(HOST, CROSS, *NAVIGATES, target=b"/lab?x=1"), id="a link from elsewhere"),
    pytest.param(get(HOST, CROSS, *NAVIGATES, method=b"HEAD"), id="HEAD of a link from elsewhere"),
    pytest.param(get(HOST, CROSS, *NAVIGATES, target=b"/lab?x=/?/api"), id="/api in a query"),
    pytest.param(get(HOST, *UPGRADE, b"Content-Length: 3"), id="an upgrade with content"),
    pytest.param(get(HOST, b"Upgrade: h2c", b"Connection: Upgrade"), id="h2c is not tunnelled"),
    pytest.param(get(HOST, b"Upgrade: websocket"), id="Upgrade without Connection"),
    pytest.param(get(HOST, *UPGRADE, method=b"POST"), id="an upgrade by POST"),
    pytest.param(
        get(HOST, *UPGRADE, b"Transfer-Encoding: chunked"), id="an upgrade with chunked content"
    ),
    pytest.param(get(HOST, *UPGRADE, b"Upgrade: websocket"), id="two Upgrades"),
    pytest.param(
        replace(get(HOST, *UPGRADE), version=(1, 0)), id="an upgrade of HTTP/1.0, which has none"
    ),
    pytest.param(get(HOST, target=b"/.well-known/other"), id="other well-known paths"),
]


@pytest.mark.parametrize("head", PASSES)
def test_forwarded(head: RequestHead) -> None:
    assert decide(head, SITE) == Forward(head)


def test_dot_segments_are_the_upstreams_matter_where_it_is_alone_at_its_host() -> None:
    dots, ordinary = get(HOST, target=b"/a/../%2e/b"), get(HOST, target=b"/a/b?c=/../d")
    assert decide(dots, SITE) == Forward(dots)
    assert decide(ordinary, replace(SITE, refuse_dot_segments=True)) == Forward(ordinary)


REFUSED = [
    pytest.param(get(), 400, "host", id="no Host"),
    pytest.param(get(HOST, HOST), 400, "host", id="Host twice, even identical"),
    pytest.param(get(b"Host: evil.example"), 421, "host", id="another name"),
    pytest.param(get(b"Host: 127.0.0.1:8888"), 421, "host", id="the upstream's name"),
    pytest.param(get(b"Host: lab.example.org:8443"), 421, "host", id="another port"),
    pytest.param(get(b"Host: localhost"), 421, "host", id="localhost without its port"),
    pytest.param(get(b"Host: lab.example.org.evil.example"), 421, "host", id="a longer name"),
    pytest.param(get(b"Host: a@lab.example.org"), 400, "host", id="userinfo in Host"),
    pytest.param(get(b"Host:"), 421, "host", id="an empty Host"),
    pytest.param(get(HOST, b"Origin: null"), 403, "origin", id="Origin null"),
    pytest.param(get(HOST, b"Origin:"), 403, "origin", id="an empty Origin"),
    pytest.param(get(HOST, OWN, OWN), 403, "origin", id="Origin twice"),
    pytest.param(get(HOST, b"Origin: http://lab.example.org"), 403, "origin", id="scheme"),
    pytest.param(get(HOST, b"Origin: https://lab.example.org:8443"), 403, "origin", id="port"),
    pytest.param(get(HOST, b"Origin: https://x.lab.example.org"), 403, "origin", id="subdomain"),
    pytest.param(get(HOST, b"Origin: https://lab.example.org/"), 403, "origin", id="a path"),
    pytest.param(get(HOST, b"Origin: http://127.0.0.1:8888"), 403, "origin", id="upstream's"),
    pytest.param(get(HOST, OWN + b" https://e.example"), 403, "origin", id="two in one field"),
    pytest.param(get(HOST, *UPGRADE), 403, "websocket-origin", id="WebSocket without Origin"),
    pytest.param(get(HOST, *UPGRADE, b"Origin: https://e.example"), 403, "origin", id="WebSocket"),
    pytest.param(get(HOST, CROSS), 403, "fetch-site", id="cross-site fetch"),
    pytest.param(get(HOST, b"Sec-Fetch-Site: same-site"), 403, "fetch-site", id="same-site fetch"),
    pytest.param(get(HOST, b"Sec-Fetch-Site: new"), 403, "fetch-site", id="an unknown value"),
    pytest.param(
        get(HOST, CROSS, *NAVIGATES, method=b"POST"), 403, "fetch-site", id="a form from elsewhere"
    ),
    pytest.param(
        get(HOST, CROSS, b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe"),
        403,
        "fetch-site",
        id="a frame elsewhere",
    ),
    pytest.param(
        get(HOST, CROSS, *NAVIGATES, target=b"/files/x.html"), 403, "fetch-site", id="/files"
    ),
    pytest.param(
        get(HOST, CROSS, *NAVIGATES, target=b"//%66iles/x"),
        403,
        "fetch-site",
        id="/files disguised",
    ),
    pytest.param(
        get(HOST, CROSS, *NAVIGATES, target=b"/nbconvert/html/a"),
        403,
        "fetch-site",
        id="/nbconvert",
    ),
    pytest.param(get(HOST, CROSS, *NAVIGATES, target=b"/api"), 403, "fetch-site", id="/api"),
    pytest.param(get(HOST, CROSS, *NAVIGATES, target=b"/./API"), 403, "fetch-site", id="/./API"),
    pytest.param(get(HOST, CROSS, *NAVIGATES, target=b"/api?x?y"), 403, "fetch-site", id="/api?"),
]

LOGOUTS = [
    (b"/logout", (b"Sec-Fetch-Site: same-origin", *NAVIGATES), None),
    (b"/logout", (b"Sec-Fetch-Site: none", *NAVIGATES), None),
    (b"/logout", (CROSS, *NAVIGATES), "fetch-site"),
    (b"/logout", (b"Sec-Fetch-Site: same-site", *NAVIGATES), "fetch-site"),
    (b"/logout?token=x", (CROSS, *NAVIGATES), "fetch-site"),
    (b"/%6cogout", (CROSS, *NAVIGATES), "fetch-site"),
    (b"//logout/", (CROSS, *NAVIGATES), "fetch-site"),
    # Older browsers: no Sec-Fetch-Site.
    (b"/logout", (b"Referer: https://lab.example.org/lab",), None),
    (b"/logout", (OWN,), None),
    (b"/logout", (), "logout"),
    (b"/logout", (b"Referer: https://evil.example/",), "logout"),
    (b"/logout", (b"Referer: http://127.0.0.1:8888/",), "logout"),
    (b"/logout", (b"Referer: https://lab.example.org/", b"Referer: https://x/"), "logout"),
    (b"/logout?token=x", (), "logout"),
    (b"/logout", (b"Origin: https://evil.example",), "origin"),
    # Not Jupyter's.
    (b"/lab/tree/logout", (CROSS, *NAVIGATES), None),
    (b"/lab?next=/logout", (), None),
    (b"/logouts", (), None),
]


@pytest.mark.parametrize("base", ["/", "/user/ada/"])
@pytest.mark.parametrize(("target", "lines", "rule"), LOGOUTS)
def test_a_link_elsewhere_does_not_log_out(
    target: bytes, lines: tuple[bytes, ...], rule: str | None, base: str
) -> None:
    site = make_site((LAB,), JUPYTER, base_path=base)
    decision = decide(get(HOST, *lines, target=base.encode() + target.removeprefix(b"/")), site)
    assert (decision.rule if isinstance(decision, Refuse) else None) == rule


@pytest.mark.parametrize(("head", "status", "rule"), REFUSED)
def test_refused(head: RequestHead, status: int, rule: str) -> None:
    decision = decide(head, SITE)
    assert isinstance(decision, Refuse)
    assert (decision.status, decision.rule) == (status, rule)
    assert decision.sentence.endswith((".", "?"))
    named = [name for name in ("example.org", "localhost", "labgate") if name in decision.sentence]
    assert named == [], "not to strangers"


HINTS = [
    pytest.param(b"localhost:9443", "--domain localhost:9443", id="another port"),
    pytest.param(b"LOCALHOST:9443", "--domain localhost:9443", id="in another case"),
    pytest.param(b"localhost", "--domain localhost:443", id="the default port, not written"),
    pytest.param(b"localhost:", "--domain localhost:443", id="an empty port"),
    pytest.param(b"lab.example.org:8443", "public lab.example.org:443 ", id="not the first name"),
    pytest.param(b"[::1]:9443", "--domain [::1]:9443", id="an IPv6 address"),
    pytest.param(b"localhost:1", "--domain localhost:1", id="the smallest port"),
    pytest.param(b"localhost:65535", "--domain localhost:65535", id="the largest port"),
    pytest.param(b"localhost:0", "", id="no port"),
    pytest.param(b"localhost:65536", "", id="too large for a port"),
    pytest.param(b"evil.example:8443", "", id="another name"),
    pytest.param(b"localhost.:8443", "", id="a name with a dot at its end"),
    pytest.param(b"xlocalhost:8443", "", id="a longer name"),
    pytest.param(b"", "", id="an empty Host"),
]


@pytest.mark.parametrize(("host", "hint"), HINTS)
def test_a_host_that_differs_in_the_port_alone_gets_a_hint(host: bytes, hint: str) -> None:
    site = make_site((LOCAL, LAB, WebOrigin("https", "::1", 8443)), JUPYTER)
    decision = decide(get(b"Host: " + host), site)
    assert isinstance(decision, Refuse)
    assert decision.status == 421
    assert hint in decision.hint if hint else not decision.hint


def test_a_host_without_a_port_has_the_one_of_its_scheme() -> None:
    site = make_site((WebOrigin("http", "h", 8080),), JUPYTER)
    decision = decide(get(b"Host: h"), site)
    assert isinstance(decision, Refuse)
    assert "--domain h:80" in decision.hint


TUNNELLED = [
    pytest.param(get(HOST, OWN, *UPGRADE), id="our own page"),
    pytest.param(get(HOST, *UPGRADE, target=b"/api/kernels/1/channels?token=abc"), id="token"),
    pytest.param(get(HOST, *UPGRADE, b"Authorization: token abc"), id="token in a field"),
    pytest.param(get(HOST, OWN, *UPGRADE, target=b"/proxy/5000/ws"), id="any path"),
    pytest.param(get(HOST, OWN, *UPGRADE, b"Content-Length: 0"), id="an explicit empty content"),
    pytest.param(
        get(HOST, OWN, b"Connection: keep-alive,upgrade", b"Upgrade: WebSocket"), id="no spaces"
    ),
    pytest.param(
        get(HOST, OWN, b"Connection: x", b"Connection: Upgrade", UPGRADE[1]), id="two Connections"
    ),
]


@pytest.mark.parametrize("head", TUNNELLED)
def test_tunnelled(head: RequestHead) -> None:
    assert decide(head, SITE) == Tunnel(head)


def test_a_websocket_without_origin_passes_when_that_is_configured() -> None:
    site = make_site((LAB,), JUPYTER, websocket_without_origin=True)
    assert isinstance(decide(get(HOST, *UPGRADE), site), Tunnel)
    assert isinstance(decide(get(HOST, *UPGRADE, b"Origin: null"), site), Refuse)


def test_an_empty_token_is_no_token() -> None:
    decision = decide(get(HOST, *UPGRADE, target=b"/api/events/subscribe?token="), SITE)
    assert isinstance(decision, Refuse)


def test_a_base_url_that_is_no_utf_8_is_skipped_as_well() -> None:
    assert first_segment(b"/%ff/API/x", "/\udcff/") == b"api"
    assert first_segment(b"/", "/") == b""


def test_base_url_is_skipped_before_the_guarded_paths() -> None:
    site = make_site((LAB,), JUPYTER, base_path="/user/ada/")
    files = get(HOST, CROSS, *NAVIGATES, target=b"/user/ada/files/x")
    lab = get(HOST, CROSS, *NAVIGATES, target=b"/user/ada/lab/tree/files/x")
    assert isinstance(decide(files, site), Refuse)
    assert decide(lab, site) == Forward(lab)


WITH_LOGIN = replace(SITE, requires_login=True)
OUT = b"/.labgate/logout"
LEAVING = [
    (WITH_LOGIN, b"GET", (), Internal),
    (WITH_LOGIN, b"HEAD", (), Internal),
    (WITH_LOGIN, b"GET", (CROSS, *NAVIGATES), Internal),  # a page that asks
    (WITH_LOGIN, b"POST", (OWN,), Internal),
    (WITH_LOGIN, b"POST", (OWN, b"Sec-Fetch-Site: same-origin"), Internal),
    (WITH_LOGIN, b"POST", (), (403, "logout")),
    (WITH_LOGIN, b"POST", (b"Referer: https://lab.example.org/",), (403, "logout")),
    (WITH_LOGIN, b"POST", (b"Origin: null",), (403, "origin")),
    (WITH_LOGIN, b"POST", (b"Origin: https://evil.example",), (403, "origin")),
    (WITH_LOGIN, b"POST", (OWN, CROSS, *NAVIGATES), (403, "fetch-site")),
    (WITH_LOGIN, b"PUT", (OWN,), (405, "logout")),
    (SITE, b"GET", (), (404, "logout")),
    (SITE, b"POST", (OWN,), (404, "logout")),
]


@pytest.mark.parametrize(("site", "method", "lines", "expected"), LEAVING)
def test_logging_out_of_labgates_own_session(
    site: Site, method: bytes, lines: tuple[bytes, ...], expected: type[Internal] | tuple[int, str]
) -> None:
    head = get(HOST, *lines, method=method, target=OUT + b"?x?y")
    decision = decide(head, site)
    if isinstance(decision, Refuse):
        assert (decision.status, decision.rule) == expected
    else:
        assert decision == Internal(web_app_head(head))
        assert expected is Internal


def test_a_logout_is_checked_as_everything_else() -> None:
    for head in (get(b"Host: evil.example", OWN, method=b"POST", target=OUT), get(target=OUT)):
        decision = decide(head, WITH_LOGIN)
        assert isinstance(decision, Refuse)
        assert decision.rule == "host"
    assert decide(plain(HOST, target=OUT), WITH_LOGIN) == Redirect(
        301, "https://lab.example.org/.labgate/logout"
    )
    closed = replace(WITH_LOGIN, allow=Networks([ip_network("192.0.2.0/24")]))
    decision = decide(get(HOST, OWN, method=b"POST", target=OUT), closed)
    assert isinstance(decision, Refuse)
    assert decision.rule == "allow-list"


def plain(*lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> RequestHead:
    head = get(*lines, target=target, method=method)
    arrival = Arrival("203.0.113.7", plain_redirects=True)
    return RequestHead(head.method, head.target, head.version, head.fields, arrival)


REDIRECTS = [
    pytest.param(plain(HOST), SITE, 301, "https://lab.example.org/", id="GET"),
    pytest.param(plain(HOST, method=b"HEAD"), SITE, 301, "https://lab.example.org/", id="HEAD"),
    pytest.param(plain(HOST, method=b"PUT"), SITE, 308, "https://lab.example.org/", id="PUT"),
    pytest.param(
        plain(HOST, target=b"/a%2Fb?c=%7E"),
        SITE,
        301,
        "https://lab.example.org/a%2Fb?c=%7E",
        id="as is",
    ),
    pytest.param(
        plain(HOST, target="/ü".encode()),
        SITE,
        301,
        "https://lab.example.org/%C3%BC",
        id="raw bytes",
    ),
    pytest.param(
        plain(HOST, target=b"/!~\x7f "), SITE, 301, "https://lab.example.org/!~%7F%20", id="edges"
    ),
    pytest.param(
        plain(HOST, target=b"*", method=b"OPTIONS"), SITE, 308, "https://lab.example.org/", id="*"
    ),
    pytest.param(plain(), SITE, 301, "https://lab.example.org/", id="no Host"),
    pytest.param(
        plain(b"Host: evil.example"), SITE, 301, "https://lab.example.org/", id="never to Host"
    ),
    pytest.param(
        plain(b"Host: localhost:8080"),
        SITE,
        301,
        "https://localhost:8443/",
        id="the name asked for",
    ),
    pytest.param(
        plain(b"Host: localhost:8080"),
        make_site((LAB, LOCAL), JUPYTER, canonical_redirect=True),
        301,
        "https://lab.example.org/",
        id="canonical",
    ),
    pytest.param(
        get(b"Host: localhost:8443", target=b"/x"),
        make_site((LAB, LOCAL), JUPYTER, canonical_redirect=True),
        301,
        "https://lab.example.org/x",
        id="canonical over https",
    ),
    pytest.param(
        get(HOST, target=b"/ada?token=x"),
        make_site((LAB, LOCAL), JUPYTER, base_path="/ada/", folder=b"/ada"),
        301,
        "https://lab.example.org/ada/?token=x",
        id="the path of a route without its slash",
    ),
    pytest.param(
        get(b"Host: localhost:8443", target=b"/ada", method=b"POST"),
        make_site((LAB, LOCAL), JUPYTER, base_path="/ada/", folder=b"/ada"),
        308,
        "https://localhost:8443/ada/",
        id="the same at another name",
    ),
]


@pytest.mark.parametrize(("head", "site", "status", "location"), REDIRECTS)
def test_redirected(head: RequestHead, site: Site, status: int, location: str) -> None:
    decision = decide(head, site)
    assert decision == Redirect(status, location)  # type: ignore[arg-type]


REDIRECTING = make_site((LAB, LOCAL), JUPYTER, canonical_redirect=True)
SAME_FOR_ALL = [
    (get(HOST), SITE, False),
    (get(HOST, b"Sec-Fetch-Site: same-origin"), SITE, False),
    (get(HOST, CROSS, *NAVIGATES), SITE, True),  # a link, which may not lead everywhere
    (get(HOST, CROSS), SITE, True),
    (get(b"Host: localhost:8443"), REDIRECTING, True),
    (get(HOST, OWN, *UPGRADE), SITE, True),
    (get(HOST, b"Max-Forwards: 1", method=b"OPTIONS"), SITE, True),
]


@pytest.mark.parametrize(("head", "site", "depends"), SAME_FOR_ALL)
def test_whether_another_path_could_be_decided_in_another_way(
    head: RequestHead, site: Site, depends: bool
) -> None:
    assert depends_on_target(decide(head, site), head) is depends


BEFORE_A_HUB = make_site((LAB,), JUPYTER, pass_through=PassThrough())


@pytest.mark.parametrize("site", [SITE, BEFORE_A_HUB])
def test_one_hop_less_is_forwarded(site: Site) -> None:
    decision = decide(get(HOST, b"max-forwards: 1", b"A: 1", method=b"OPTIONS"), site)
    assert decision == Forward(get(HOST, b"max-forwards: 0", b"A: 1", method=b"OPTIONS"))
    last = decide(get(HOST, b"max-forwards: 0", b"A: 1", method=b"OPTIONS"), site)
    assert isinstance(last, Respond)


@pytest.mark.parametrize(
    ("head", "passes"),
    [
        pytest.param(get(HOST, target=b"/ada/"), True, id="with its slash"),
        pytest.param(get(HOST, target=b"/ada/lab?x=/ada"), True, id="a path below it"),
        pytest.param(get(HOST, target=b"/adam"), True, id="a longer name"),
        pytest.param(get(HOST, target=b"/ada"), False, id="without its slash"),
    ],
)
def test_only_the_path_of_a_route_itself_gets_a_slash(head: RequestHead, passes: bool) -> None:
    site = make_site((LAB,), JUPYTER, base_path="/ada/", folder=b"/ada")
    assert (decide(head, site) == Forward(head)) is passes


CHALLENGE = b"/.well-known/acme-challenge/"


def test_challenges_are_served_on_both_listeners_and_never_redirected() -> None:
    site = make_site((LAB,), JUPYTER, challenges=True)
    token = CHALLENGE + b"aZ09-_"
    lines = (b"Host: x", b"Authorization: Basic eDp5")
    for head in (plain(*lines, target=token), get(*lines, target=token)):
        assert decide(head, site) == Internal(web_app_head(head))


@pytest.mark.parametrize("name", [b"", b"../x", b"a/b", b"a.b", b"%2e%2e", b"a\\b"])
def test_a_challenge_that_is_no_token_is_404(name: bytes) -> None:
    site = make_site((LAB,), JUPYTER, challenges=True)
    decision = decide(plain(target=CHALLENGE + name), site)
    assert isinstance(decision, Refuse)
    assert decision.status == 404


def test_challenges_without_a_webroot_are_404_and_not_redirected() -> None:
    decision = decide(plain(target=CHALLENGE + b"abc"), SITE)
    assert isinstance(decision, Refuse)
    assert decision.status == 404


def test_health_is_answered_whatever_the_host() -> None:
    by_address = get(b"Host: 10.0.0.9", target=b"/.labgate/health")
    assert decide(by_address, SITE) == Internal(web_app_head(by_address))
    on_plain_port = plain(target=b"/.labgate/ready?x?y")
    assert decide(on_plain_port, SITE) == Internal(web_app_head(on_plain_port))


OWN_PATHS = [
    (b"/.labgate/health", True),
    (b"/.labgate/ready", True),
    (b"/.labgate/ready?x?y", True),
    (CHALLENGE + b"aZ09-_", True),
    (CHALLENGE + b"a.b", True),  # refused there
    (b"/.labgate/healthy", False),
    (b"/.well-known/acme-challenge", False),
    (b"/lab?x=/.labgate/health", False),
    (OUT, False),  # checked as Jupyter's are
    (b"/", False),
]


@pytest.mark.parametrize(("target", "own"), OWN_PATHS)
def test_which_paths_are_answered_before_the_checks(target: bytes, own: bool) -> None:
    assert is_own_path(target) is own
    assert (own_path(get(HOST, target=target), SITE) is not None) is own


def test_the_application_gets_what_its_routes_read_and_no_more() -> None:
    head = get(
        b"Host: lab.example.org",
        b"Cookie: a=1",
        b"Accept: text/html",
        b"Authorization: Basic eDp5",
        b"Content-Length: 10",
        b"Content-Encoding: gzip",
        b"Content-Type: a/b",
        b"Content-Type: c/d",
        b"Connection: Cookie",
        b"Expect: 100-continue",
        target=b"/.labgate/health?token=secret?",
    )
    passed = web_app_head(head)
    assert passed.target == b"/.labgate/health"
    assert {name.lower() for name, _ in passed.fields} == {b"host", b"cookie", b"accept"}


OBSERVED = [
    pytest.param(get(b"Host: evil.example"), "host", id="Host"),
    pytest.param(get(HOST, b"Origin: https://evil.example"), "origin", id="Origin"),
    pytest.param(get(HOST, b"Origin: null", method=b"POST"), "origin", id="null"),
    pytest.param(get(HOST, OWN, OWN), "origin", id="Origin twice"),
    pytest.param(get(HOST, CROSS), "fetch-site", id="Sec-Fetch-Site"),
    pytest.param(get(HOST, target=b"/logout"), "logout", id="a link to /logout"),
    pytest.param(get(HOST, *UPGRADE), "websocket-origin", id="a WebSocket without Origin"),
    pytest.param(get(HOST, *UPGRADE, b"Origin: https://evil.example"), "origin", id="WebSocket"),
]


@pytest.mark.parametrize(("head", "rule"), OBSERVED)
def test_observing_lets_through_what_would_be_refused(head: RequestHead, rule: str) -> None:
    refusal = decide(head, SITE)
    assert isinstance(refusal, Refuse)
    assert refusal.rule == rule
    kind = Tunnel if head.values(b"upgrade") else Forward
    decision = decide(head, replace(SITE, observe=True))
    assert isinstance(decision, kind)
    assert decision.head == head
    assert decision.would_refuse is not None
    observed = decision.would_refuse
    assert replace(observed, hint=refusal.hint, sentence=refusal.sentence) == refusal
    if rule == "host":
        assert "named with --domain evil.example" in decision.would_refuse.hint


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(get(), id="no Host"),
        pytest.param(get(HOST, HOST), id="Host twice"),
        pytest.param(get(b"Host: a@lab.example.org"), id="malformed Host"),
        pytest.param(get(HOST, b"Content-Length: x"), id="malformed framing"),
        pytest.param(get(HOST, CROSS, b"Max-Forwards: 0", method=b"TRACE"), id="TRACE"),
        pytest.param(get(HOST, b"Max-Forwards: 0", method=b"OPTIONS"), id="OPTIONS"),
    ],
)
def test_observing_forwards_nothing_that_is_malformed(head: RequestHead) -> None:
    assert not isinstance(decide(head, replace(SITE, observe=True)), Forward | Tunnel)


@pytest.mark.parametrize("head", PASSES)
def test_observing_changes_nothing_about_what_passes(head: RequestHead) -> None:
    assert decide(head, replace(SITE, observe=True)) == Forward(head)


def test_observing_does_not_open_the_allow_list() -> None:
    site = replace(SITE, observe=True, allow=Networks([ip_network("192.0.2.0/24")]))
    assert isinstance(decide(get(HOST), site), Refuse)


def test_what_would_be_refused_depends_on_the_target() -> None:
    head = get(b"Host: evil.example")
    assert depends_on_target(decide(head, replace(SITE, observe=True)), head)


NOTHING_HERE = make_site((LAB, LOCAL), JUPYTER, has_upstream=False)


def test_a_name_without_a_jupyter_refuses_all_but_labgates_own_paths() -> None:
    for head in (get(HOST), get(HOST, *UPGRADE, OWN), get(HOST, target=b"/api", method=b"DELETE")):
        refusal = decide(head, NOTHING_HERE)
        assert isinstance(refusal, Refuse)
        assert (refusal.status, refusal.rule) == (404, "route")
    assert isinstance(decide(get(HOST, target=b"/.labgate/health"), NOTHING_HERE), Internal)
    foreign = decide(get(HOST, b"Origin: https://evil.example"), NOTHING_HERE)
    assert isinstance(foreign, Refuse)
    assert foreign.rule == "origin"


def test_the_log_gets_the_names_that_have_a_route() -> None:
    refusal = decide(get(b"Host: eve.example.org"), NOTHING_HERE)
    assert isinstance(refusal, Refuse)
    assert (refusal.status, refusal.rule) == (421, "host")
    assert refusal.hint == "names with a route: lab.example.org, localhost:8443"
    assert "lab" not in refusal.sentence

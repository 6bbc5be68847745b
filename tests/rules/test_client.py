"""The client's address through trusted proxies, and the allow-list."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rules.client import MAX_HOPS, client_address, entry_address, with_client_address
from proxy.rules.connection_names import ConnectionNames
from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Internal, Redirect, Refuse
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.networks import Networks, limit_key, parse_address, plain_address
from proxy.rules.site import Site, make_site
from tests.heads import HOST, JUPYTER, LAB, fields


def networks(*texts: str) -> Networks:
    return Networks(ip_network(text) for text in texts)


PROXY = "10.0.0.5"
TRUSTED = networks("10.0.0.0/24", "2001:db8:aa::/48", "fe80::/10")


CONTAINED = [
    pytest.param("10.0.0.0/8", "10.255.255.255", True, id="IPv4"),
    pytest.param("10.0.0.0/8", "11.0.0.0", False, id="just outside"),
    pytest.param("10.0.0.0/8", "::ffff:10.1.2.3", True, id="an IPv4-mapped address"),
    pytest.param("10.0.0.0/8", "::ffff:11.1.2.3", False, id="a mapped one outside"),
    pytest.param("::ffff:10.0.0.0/104", "10.1.2.3", True, id="an IPv4-mapped range"),
    pytest.param("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True, id="both mapped"),
    pytest.param("::ffff:0:0/96", "192.0.2.1", True, id="all of IPv4, mapped"),
    pytest.param("::/0", "192.0.2.1", False, id="all of IPv6 is not IPv4"),
    pytest.param("::/0", "::ffff:192.0.2.1", False, id="nor mapped IPv4"),
    pytest.param("0.0.0.0/0", "2001:db8::1", False, id="all of IPv4 is not IPv6"),
    pytest.param("2001:db8::/32", "2001:db8:ffff::1", True, id="IPv6"),
    pytest.param("2001:db8::/32", "2001:DB8::1", True, id="capitals"),
    pytest.param("fe80::/10", "fe80::1%eth0", True, id="a zone"),
    pytest.param("::1/128", "::1%", True, id="an empty zone"),
    pytest.param("0.0.0.0/0", "", False, id="nothing"),
    pytest.param("0.0.0.0/0", "local", False, id="a Unix socket"),
    pytest.param("0.0.0.0/0", "010.0.0.1", False, id="octal or decimal"),
    pytest.param("0.0.0.0/0", "1.2.3", False, id="three numbers"),
    pytest.param("::/0", "1" * 100_000, False, id="long"),
]


@pytest.mark.parametrize(("network", "address", "inside"), CONTAINED)
def test_networks(network: str, address: str, inside: bool) -> None:
    assert (address in networks(network)) is inside
    assert (address in networks("192.0.2.255/32", network)) is inside


def test_no_network_holds_nothing() -> None:
    assert not Networks()
    assert "10.0.0.1" not in Networks()
    assert networks("::/0")


KEYS = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ("::1", "127.0.0.1"),
    ("::ffff:127.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "127.0.0.1"),
    ("::2", "::/64"),
    ("local", "local"),
    ("fe80::1%eth0", "fe80::1%eth0"),
]


@pytest.mark.parametrize(("peer", "key"), KEYS)
def test_one_customer_has_one_key_for_limits(peer: str, key: str) -> None:
    assert limit_key(peer) == key


PLAIN = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("fe80::1%eth0", "fe80::1"),
    ("2001:DB8:0::1", "2001:db8::1"),
    ("local", "local"),
    ("", ""),
    ("no:address", "no:address"),
]


@pytest.mark.parametrize(("peer", "expected"), PLAIN)
def test_a_peer_has_one_spelling(peer: str, expected: str) -> None:
    assert plain_address(peer) == expected


def test_the_longest_address_is_an_address() -> None:
    longest = "ffff:" * 6 + "255.255.255.255"
    assert str(parse_address(longest)) == "ffff:" * 7 + "ffff"
    assert parse_address(longest + "0") is None


ENTRIES = [
    (b"192.0.2.1", "192.0.2.1"),
    (b" 192.0.2.1\t", "192.0.2.1"),
    (b"192.0.2.1:65535", "192.0.2.1"),
    (b"2001:DB8::1", "2001:db8::1"),
    (b"[2001:db8::1]", "2001:db8::1"),
    (b"[2001:db8::1]:443", "2001:db8::1"),
    (b"::ffff:192.0.2.1", "192.0.2.1"),
    (b"[::ffff:192.0.2.1]:80", "192.0.2.1"),
    (b"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    (b"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", "ffff:" * 7 + "ffff"),
    (b"X192.0.2.1", None),
    (b"\x0b192.0.2.1", None),
    (b"", None),
    (b"unknown", None),
    (b"_hidden", None),
    (b"localhost", None),
    (b"lab.example.org", None),
    (b'"192.0.2.1"', None),
    (b'"[2001:db8::1]"', None),
    (b"for=192.0.2.1", None),
    (b"192.0.2.1:", None),
    (b"192.0.2.1:65536", None),
    (b"192.0.2.1:-1", None),
    (b"192.0.2.1:+1", None),
    (b"192.0.2.1:1_0", None),
    (b"192.0.2.1:443:443", None),
    (b"[192.0.2.1]", None),
    (b"[192.0.2.1]:443", None),
    (b"[2001:db8::1", None),
    (b"2001:db8::1]", None),
    (b"[2001:db8::1]443", None),
    (b"[2001:db8::1]:", None),
    (b"[[2001:db8::1]]", None),
    (b"[]", None),
    (b"[", None),
    (b":", None),
    (b"::%1", None),
    (b"fe80::1%eth0", None),
    (b"192.0.2.1/32", None),
    (b"192.0.2.01", None),
    (b"0300.0.2.1", None),
    (b"0x7f.0.0.1", None),
    (b"2130706433", None),
    (b"127.1", None),
    (b"192.0.2.1 192.0.2.2", None),
    (b"192.0.2.1;", None),
    (b"192.0.2.1\0", None),
    (b"\xd9\xa19\xd9\xa2.0.2.1", None),
    (b"\xff\xfe", None),
    (b"1" * 60_000, None),
    (b" " * 60_000 + b"192.0.2.1", "192.0.2.1"),
]


@pytest.mark.parametrize(("entry", "expected"), ENTRIES)
def test_entries(entry: bytes, expected: str | None) -> None:
    assert entry_address(entry) == expected


WALKS = [
    pytest.param("203.0.113.9", [b"192.0.2.1"], "203.0.113.9", id="a stranger is not believed"),
    pytest.param(PROXY, [], PROXY, id="a proxy that says nothing"),
    pytest.param(PROXY, [b""], PROXY, id="an empty field"),
    pytest.param(PROXY, [b"192.0.2.1"], "192.0.2.1", id="one proxy"),
    pytest.param(PROXY, [b"6.6.6.6, 192.0.2.1"], "192.0.2.1", id="a client that invents"),
    pytest.param(PROXY, [b"10.0.0.7, 192.0.2.1"], "192.0.2.1", id="a client that invents a proxy"),
    pytest.param(PROXY, [b"192.0.2.1, 10.0.0.6"], "192.0.2.1", id="two proxies"),
    pytest.param(PROXY, [b"6.6.6.6,192.0.2.1,10.0.0.6"], "192.0.2.1", id="two, and an invention"),
    pytest.param(PROXY, [b"6.6.6.6", b"192.0.2.1"], "192.0.2.1", id="over two lines"),
    pytest.param(PROXY, [b"192.0.2.1", b"10.0.0.6"], "192.0.2.1", id="two proxies, two lines"),
    pytest.param(PROXY, [b"10.0.0.9, 10.0.0.6"], "10.0.0.9", id="all trusted: the first"),
    pytest.param(PROXY, [b"unknown"], PROXY, id="unknown"),
    pytest.param(PROXY, [b"192.0.2.1, unknown"], PROXY, id="nothing beyond unknown"),
    pytest.param(PROXY, [b"192.0.2.1, unknown, 10.0.0.6"], "10.0.0.6", id="the last believed"),
    pytest.param(PROXY, [b"192.0.2.1,"], PROXY, id="an empty entry ends the walk"),
    pytest.param(PROXY, [b"192.0.2.1", b""], PROXY, id="so does an empty line"),
    pytest.param(PROXY, [b"unknown, 192.0.2.1"], "192.0.2.1", id="garbage on the left"),
    pytest.param(PROXY, [b"192.0.2.1:4711"], "192.0.2.1", id="a port"),
    pytest.param(PROXY, [b"::ffff:192.0.2.1"], "192.0.2.1", id="mapped"),
    pytest.param(PROXY, [b"192.0.2.1, ::ffff:10.0.0.6"], "192.0.2.1", id="a mapped proxy"),
    pytest.param("::ffff:10.0.0.5", [b"192.0.2.1"], "192.0.2.1", id="a mapped peer"),
    pytest.param("fe80::1%eth0", [b"192.0.2.1"], "192.0.2.1", id="a link-local proxy"),
    pytest.param("2001:db8:aa::1", [b"2001:db8::9"], "2001:db8::9", id="IPv6"),
    pytest.param("local", [b"192.0.2.1"], "local", id="a Unix socket is not trusted"),
    pytest.param("", [b"192.0.2.1"], "", id="nobody"),
    pytest.param(PROXY, [b"192.0.2.1, " + b"," * 60_000 + b"10.0.0.6"], "10.0.0.6", id="commas"),
]


@pytest.mark.parametrize(("peer", "values", "expected"), WALKS)
def test_the_walk(peer: str, values: list[bytes], expected: str) -> None:
    assert client_address(peer, values, TRUSTED) == expected


@pytest.mark.parametrize("lines", [1, 3, 100])
def test_the_walk_is_bounded(lines: int) -> None:
    """The last believed address stands, however many trusted ones follow."""
    value = b"192.0.2.1," + b",".join(b"10.0.0.%d" % (n % 250) for n in range(2_000))
    walked = client_address(PROXY, [value] * lines, TRUSTED)
    assert walked == f"10.0.0.{(2_000 - MAX_HOPS) % 250}"


def test_many_lines_are_one_list() -> None:
    values = [b"192.0.2.1", *[b"10.0.0.6"] * (MAX_HOPS - 1)]
    assert client_address(PROXY, values, TRUSTED) == "192.0.2.1"
    assert client_address(PROXY, [b",".join(values)], TRUSTED) == "192.0.2.1"
    for longer in ([*values, b"10.0.0.8"], [b",".join([*values, b"10.0.0.8"])]):
        assert client_address(PROXY, longer, TRUSTED) == "10.0.0.6"


octets = st.binary(max_size=60)
pieces = st.sampled_from(
    [b",", b" ", b"10.0.0.6", b"192.0.2.1", b"[", b"]", b":", b"%", b"::", b""]
)
values = st.lists(st.one_of(octets, st.lists(pieces, max_size=30).map(b"".join)), max_size=6)


@given(st.sampled_from([PROXY, "203.0.113.9", "fe80::1%x", "local"]), values)
def test_what_comes_out_is_an_address_that_was_named_or_the_peer(
    peer: str, lines: list[bytes]
) -> None:
    client = client_address(peer, lines, TRUSTED)
    assert client == peer or str(parse_address(client)) == client
    if peer not in TRUSTED:
        assert client == peer


@given(values, st.sampled_from(["192.0.2.77", "2001:db8::77", "10.0.0.77"]))
def test_a_client_cannot_move_what_the_proxy_appended(lines: list[bytes], true: str) -> None:
    """Whatever the client sent before, the proxy's own entry is the last word about it."""
    client = client_address(PROXY, [*lines, true.encode()], TRUSTED)
    if true not in TRUSTED:
        assert client == true


def head(
    peer: str,
    *lines: bytes,
    target: bytes = b"/",
    plain_redirects: bool = False,
    client_known: bool = True,
) -> RequestHead:
    arrival = Arrival(peer, plain_redirects, client_known)
    return RequestHead(b"GET", target, (1, 1), fields(HOST, *lines), arrival)


def test_the_head_gets_the_believed_address() -> None:
    forwarded = b"X-Forwarded-For: 192.0.2.1"
    seen = with_client_address(
        head(PROXY, forwarded, plain_redirects=True, client_known=True), TRUSTED
    )
    assert seen.arrival == Arrival("192.0.2.1", True, True)
    asked = replace(head(PROXY, forwarded), method=b"PUT", target=b"/x", version=(1, 0))
    seen = with_client_address(asked, TRUSTED)
    assert seen == replace(asked, arrival=Arrival("192.0.2.1"))
    assert seen.section is asked.section, "caches know it by this"
    names = ConnectionNames("lab.example.org", ())
    unknown = Arrival(PROXY, client_known=False, tls_seconds=0.5, names=names)
    assert replace(asked, arrival=unknown).from_peer("x").arrival == replace(unknown, peer="x")
    assert seen.from_peer("x").arrival.tls_seconds is None
    assert replace(asked, arrival=unknown).from_peer("x").arrival.tls_seconds == 0.5
    again = replace(asked, arrival=Arrival("", sent_again=True, login_left_out=True))
    arrival = again.from_peer("x").arrival
    assert (arrival.sent_again, arrival.login_left_out) == (True, True)
    assert seen.values(b"x-forwarded-for") == (b"192.0.2.1",)
    for untouched in (
        head("203.0.113.9", forwarded),
        head(PROXY),
        head(PROXY, b"X_Forwarded_For: 192.0.2.1", b"Forwarded: for=192.0.2.1"),
        head(PROXY, forwarded, client_known=False),
    ):
        assert with_client_address(untouched, TRUSTED) is untouched
    assert with_client_address(head(PROXY, forwarded), Networks()).arrival.peer == PROXY


CLOSED = make_site(
    (LAB,), JUPYTER, challenges=True, allow=networks("192.0.2.0/24", "2001:db8::/32")
)
OPEN = make_site((LAB,), JUPYTER)

DECISIONS = [
    pytest.param(head("192.0.2.9"), CLOSED, Forward, id="allowed"),
    pytest.param(head("2001:db8::9"), CLOSED, Forward, id="allowed, IPv6"),
    pytest.param(head("192.0.3.9"), CLOSED, 403, id="not allowed"),
    pytest.param(head("127.0.0.1"), CLOSED, 403, id="loopback is not special"),
    pytest.param(head("local"), CLOSED, 403, id="nor a Unix socket"),
    pytest.param(head(""), CLOSED, 403, id="nor nothing"),
    pytest.param(head("192.0.3.9", b"X-Forwarded-For: 192.0.2.9"), CLOSED, 403, id="a claim"),
    pytest.param(head("192.0.3.9"), OPEN, Forward, id="no list"),
    pytest.param(head("192.0.3.9", plain_redirects=True), CLOSED, 403, id="the redirect too"),
    pytest.param(head("192.0.2.9", plain_redirects=True), CLOSED, Redirect, id="redirected"),
    pytest.param(head("192.0.3.9", target=b"/.labgate/health"), CLOSED, Internal, id="health"),
    pytest.param(head("192.0.3.9", target=b"/.labgate/ready"), CLOSED, Internal, id="ready"),
    pytest.param(
        head("192.0.3.9", target=b"/.well-known/acme-challenge/t", plain_redirects=True),
        CLOSED,
        Internal,
        id="the certificate authority's challenge",
    ),
    pytest.param(head("192.0.3.9", target=b"/.well-known/x"), CLOSED, 403, id="another path"),
]


@pytest.mark.parametrize(("asked", "site", "expected"), DECISIONS)
def test_the_allow_list(asked: RequestHead, site: Site, expected: type | int) -> None:
    decision = decide(asked, site)
    if isinstance(expected, int):
        assert isinstance(decision, Refuse)
        assert (decision.status, decision.rule, decision.close) == (expected, "allow-list", True)
    else:
        assert isinstance(decision, expected)

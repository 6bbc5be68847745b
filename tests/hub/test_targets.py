"""Reading a route's target."""

from __future__ import annotations

import pytest

from proxy.hub.targets import RouteTarget, check_target, parse_target
from proxy.net.upstream_address import UpstreamAddress
from proxy.net.upstream_tls import UpstreamTls

TLS = UpstreamTls("/ca.pem")
GOOD = [
    ("http://10.0.0.7:8888", RouteTarget(UpstreamAddress("10.0.0.7", 8888))),
    ("http://10.0.0.7:8888/", RouteTarget(UpstreamAddress("10.0.0.7", 8888))),
    ("http://pod.:1", RouteTarget(UpstreamAddress("pod.", 1))),
    (f"http://a.{'b' * 63}:1", RouteTarget(UpstreamAddress(f"a.{'b' * 63}", 1))),
    ("http://pod", RouteTarget(UpstreamAddress("pod", 80))),
    ("http://[::1]:1/a/b?c=d", RouteTarget(UpstreamAddress("::1", 1), b"/a/b", b"c=d")),
    ("https://pod", RouteTarget(UpstreamAddress("pod", 443, tls=TLS))),
    ("http+unix://%2Frun%2Fa.sock", RouteTarget(UpstreamAddress("localhost", 80, "/run/a.sock"))),
    ("unix+http://%2Frun%2Fa/x", RouteTarget(UpstreamAddress("localhost", 80, "/run/a"), b"/x")),
]


@pytest.mark.parametrize(("url", "target"), GOOD)
def test_good(url: str, target: RouteTarget) -> None:
    assert parse_target(url, TLS) == target
    check_target(url, TLS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "http://",
        "ftp://h",
        "http://h:0",
        "http://h:00",
        "http://h:65536",
        "http://h:\N{ARABIC-INDIC DIGIT ONE}x",
        "http://h:x",
        "http://[",
        "http://h/ä",
        "http://a..b:1",
        "http://.a:1",
        "http://a..:1",
        "http://h\0:1",
        f"http://{'a' * 64}:1",
        f"http://b.{'a' * 64}:1",
        f"https://{'ä' * 64}",
        "http+unix://relative",
        "http+unix://",
    ],
)
def test_what_is_no_target_is_explained(url: str) -> None:
    for read in (parse_target, check_target):
        with pytest.raises(ValueError, match=r"target|write"):
            read(url, TLS)

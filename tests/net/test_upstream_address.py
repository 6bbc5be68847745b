"""Reading ``--upstream``."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest

from proxy.errors import UsageError
from proxy.net.upstream_address import UpstreamAddress, parse_upstream, upstream_from_json
from proxy.net.upstream_tls import UpstreamTls

GOOD = [
    ("http://127.0.0.1:8888", UpstreamAddress("127.0.0.1", 8888)),
    ("http://127.0.0.1:8888/", UpstreamAddress("127.0.0.1", 8888)),
    ("http://Jupyter", UpstreamAddress("jupyter", 80)),
    ("http://jupyter.", UpstreamAddress("jupyter.", 80)),
    (f"http://{'a' * 63}.b", UpstreamAddress(f"{'a' * 63}.b", 80)),
    ("http://[::1]:8888", UpstreamAddress("::1", 8888)),
    ("http://h:1/user/ada", UpstreamAddress("h", 1, None, "/user/ada/")),
    ("https://Jupyter/x", UpstreamAddress("jupyter", 443, None, "/x/", UpstreamTls())),
    ("https://h:8443", UpstreamAddress("h", 8443, None, "/", UpstreamTls())),
    ("unix:/run/j.sock", UpstreamAddress("localhost", 80, "/run/j.sock")),
    ("unix:///run/j.sock", UpstreamAddress("localhost", 80, "/run/j.sock")),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_good(text: str, expected: UpstreamAddress) -> None:
    assert parse_upstream(text) == expected


BAD = [
    ("127.0.0.1:8888", "scheme"),
    ("ftp://127.0.0.1", "scheme"),
    ("http://", "host"),
    ("http://a b", "host"),
    ("http://a..b:1", "between two dots"),
    (f"http://{'a' * 64}.example", "more than 63 characters"),
    ("http://.", "between two dots"),
    ("http://h:0", "port 0"),
    ("http://h:99999", "ort"),
    ("http://u:p@h", "only name"),
    ("http://h?x", "only name"),
    ("unix:relative", "absolute"),
    ("unix:", "absolute"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_invalid_values_are_explained_with_an_example(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_upstream(text)
    assert reason in str(caught.value)
    assert "http://127.0.0.1:8888" in str(caught.value)


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("http://127.0.0.1:8888/lab?token=s3cret", "http://127.0.0.1:8888"),
        ("http://[::1]:8888/user/ada/tree/a?token=s3cret", "http://[::1]:8888/user/ada"),
        ("http://ada:s3cret@h/x", "http://h/x"),
    ],
)
def test_the_address_of_a_page_is_refused_with_the_one_to_give(pasted: str, address: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f": give {address};")) as caught:
        parse_upstream(pasted)
    assert "s3cret" not in str(caught.value)


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(UpstreamAddress("::1", 8888)) == "http://[::1]:8888"
    assert str(UpstreamAddress("h", 80, None, "/x/")) == "http://h/x"
    assert str(UpstreamAddress("localhost", 80, "/run/j")) == "unix:/run/j"
    assert str(UpstreamAddress("h", 443, None, "/x/", UpstreamTls())) == "https://h/x"


@pytest.mark.parametrize("tls", [None, UpstreamTls("/ca.pem", verify=False)])
def test_an_address_survives_the_way_to_a_worker(tls: UpstreamTls | None) -> None:
    address = UpstreamAddress("h", 443, None, "/x/", tls)
    assert upstream_from_json(json.loads(json.dumps(asdict(address)))) == address

"""Addresses as people type and paste them."""

from __future__ import annotations

import pytest

from proxy.doctor.target import Target, read_target
from proxy.errors import UsageError

LAB = Target("https", "lab.example.org", 443)

READ = [
    ("https://lab.example.org", LAB, ""),
    ("lab.example.org", LAB, ""),
    ("https://LAB.example.org/", LAB, ""),
    ("https://lab.example.org:443/lab", LAB, ""),
    ("https://lab.example.org/lab/tree/a%20b.ipynb?token=abc", LAB, "abc"),
    ("http://localhost:8080/?token=abc", Target("http", "localhost", 8080), "abc"),
    ("https://h/user/ada/lab", Target("https", "h", 443, "/user/ada"), ""),
    ("https://h/user/ada/", Target("https", "h", 443, "/user/ada"), ""),
    ("https://h/labyrinth/", Target("https", "h", 443, "/labyrinth"), ""),
    ("https://h/notebooks/tree", Target("https", "h", 443), ""),
    ("http://[::1]:8888/tree", Target("http", "::1", 8888), ""),
    ("unix:/run/lab.sock", Target("http", "localhost", 80, socket="/run/lab.sock"), ""),
    ("https://bücher.example/", Target("https", "xn--bcher-kva.example", 443), ""),
]


@pytest.mark.parametrize(("typed", "target", "token"), READ)
def test_addresses(typed: str, target: Target, token: str) -> None:
    assert read_target(typed) == (target, token)


ORIGINS = [
    (LAB, "https://lab.example.org", False),
    (Target("https", "localhost", 8443), "https://localhost:8443", True),
    (Target("http", "127.0.0.1", 80), "http://127.0.0.1", True),
    (Target("http", "::1", 8888), "http://[::1]:8888", True),
    (Target("http", "10.0.0.1", 443), "http://10.0.0.1:443", False),
]


@pytest.mark.parametrize(("target", "origin", "loopback"), ORIGINS)
def test_origins_are_those_of_browsers(target: Target, origin: str, loopback: bool) -> None:
    assert (target.origin, target.loopback) == (origin, loopback)
    assert target.url == f"{origin}/"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("ftp://lab.example.org", "must begin with https:// or http://"),
        ("https://", "must begin with"),
        ("https://h:port/", "cannot be read"),
        ("https://lab..example.org", "no server can have: lab..example.org"),
        (f"https://{'ü' * 64}.example/", "no server can have"),
        ("unix:lab.sock", "needs an absolute path"),
        ("https://ada:secret@h/", "may not hold a user"),
    ],
)
def test_what_is_no_address(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_target(typed)
    assert "secret" not in str(caught.value)

"""The names that a site has."""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_network
from typing import Any, Literal

import pytest

from proxy.rules.networks import Networks
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site, WebOrigin, make_site
from proxy.rules.stripped_prefix import StrippedPrefix
from tests.heads import HOST, JUPYTER, LAB, LOCAL, SITE, get

ORIGINS = [
    (WebOrigin("https", "h", 443), True, "h", "h:443", "https://h"),
    (WebOrigin("https", "h", 80), False, "h:80", "h:80", "https://h:80"),
    (WebOrigin("http", "h", 80), True, "h", "h:80", "http://h"),
    (WebOrigin("http", "h", 443), False, "h:443", "h:443", "http://h:443"),
    (WebOrigin("https", "::1", 443), True, "[::1]", "[::1]:443", "https://[::1]"),
    (WebOrigin("http", "::1", 8888), False, "[::1]:8888", "[::1]:8888", "http://[::1]:8888"),
]


@pytest.mark.parametrize(("origin", "default", "authority", "spelled_out", "text"), ORIGINS)
def test_an_origin_is_written_as_browsers_write_it(
    origin: WebOrigin, default: bool, authority: str, spelled_out: str, text: str
) -> None:
    assert origin.default_port is default
    assert (origin.authority, origin.spelled_out, str(origin)) == (authority, spelled_out, text)


def test_a_site_has_every_spelling_of_its_names_and_no_other() -> None:
    site = make_site((LAB, LOCAL), JUPYTER)
    assert dict(site.authorities) == {
        b"lab.example.org": LAB,
        b"lab.example.org:443": LAB,
        b"localhost:8443": LOCAL,
    }
    assert site.origins == {
        b"https://lab.example.org",
        b"https://lab.example.org:443",
        b"https://localhost:8443",
    }
    assert site.canonical is LAB
    assert site.https
    assert not make_site((WebOrigin("http", "h", 80), LAB), JUPYTER).https


def test_what_is_not_configured_is_the_safe_way() -> None:
    """Nothing passes unchecked or unchanged, nobody is trusted, and no name is another's."""
    site = make_site((LAB,), JUPYTER)
    names = (site.authorities, site.origins)
    assert site == Site((LAB,), *names, JUPYTER)
    assert (site.preserve, site.canonical_redirect, site.websocket_without_origin) == (False,) * 3
    assert (site.base_path, site.challenges, site.hsts_seconds) == ("/", False, 0)
    assert not site.observe
    assert (bool(site.allow), bool(site.trusted_proxies), site.requires_login) == (False,) * 3


LOOPBACK = Networks([ip_network("127.0.0.0/8")])
SETTINGS: dict[str, Any] = {
    "preserve": True,
    "canonical_redirect": True,
    "websocket_without_origin": True,
    "base_path": "/lab/",
    "challenges": True,
    "hsts_seconds": 60,
    "allow": LOOPBACK,
    "trusted_proxies": LOOPBACK,
    "requires_login": True,
    "observe": True,
    "compressible": (b"/static/",),
    "embed_in": (b"https://portal.example",),
    "pass_through": PassThrough(),
    "has_upstream": False,
    "folder": b"/lab",
    "stripped": StrippedPrefix(b"/lab/"),
    "refuse_dot_segments": True,
}


def test_what_is_configured_is_as_it_was_given() -> None:
    assert [field.name for field in fields(Site)][4:] == list(SETTINGS), "none is missing here"
    usual = make_site((LAB,), JUPYTER)
    assert make_site((LAB,), JUPYTER, **SETTINGS) == replace(usual, **SETTINGS)
    assert all(getattr(usual, name) != value for name, value in SETTINGS.items())


NAMED = [
    ((b"Host: LOCALHOST:8443",), LOCAL),
    ((HOST,), LAB),
    ((b"Host: localhost",), LAB),
    ((b"Host: evil.example",), LAB),
    ((b"X: y",), LAB),
    ((), LAB),
]


@pytest.mark.parametrize(("lines", "origin"), NAMED)
def test_a_request_names_a_public_origin_or_gets_the_canonical_one(
    lines: tuple[bytes, ...], origin: WebOrigin
) -> None:
    assert SITE.public_origin(get(*lines)) is origin


COME_BY = [
    ("http", b"Hub.Example.ORG:8000", WebOrigin("http", "hub.example.org", 8000)),
    ("http", b"hub.example.org", WebOrigin("http", "hub.example.org", 80)),
    ("https", b"hub.example.org", WebOrigin("https", "hub.example.org", 443)),
    ("https", b"hub.example.org:80", WebOrigin("https", "hub.example.org", 80)),
    ("https", b"[::1]", WebOrigin("https", "::1", 443)),
]


@pytest.mark.parametrize(("scheme", "host", "origin"), COME_BY)
def test_before_a_hub_the_public_origin_is_what_clients_come_by(
    scheme: Literal["http", "https"], host: bytes, origin: WebOrigin
) -> None:
    site = make_site((WebOrigin(scheme, "", 8000),), JUPYTER, pass_through=PassThrough())
    assert site.public_origin(get(b"Host: " + host)) == origin


def test_labgates_own_application_gets_the_public_names_and_its_credentials() -> None:
    site = replace(SITE, requires_login=True, hsts_seconds=60, challenges=True)
    assert site.for_web_app() == replace(
        SITE, preserve=True, requires_login=False, hsts_seconds=0, challenges=True
    )


def test_only_what_goes_to_jupyter_as_configured_is_compressed() -> None:
    site = replace(SITE, compressible=(b"/static/",))
    assert site.for_web_app().compressible == ()
    assert site.unmodified().compressible == ()

"""File, environment and flags become one value, or every problem at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.cli.arguments import parse_arguments
from proxy.config.addresses import is_public_name, parse_domain
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.config.types import memory_bytes
from proxy.errors import UsageError
from proxy.rules.site import WebOrigin


def loaded(
    tmp_path: Path, text: str = "", env: dict[str, str] | None = None, **flags: Any
) -> Settings:
    file = tmp_path / "labgate.toml"
    file.write_text(text)
    return load(flags, env or {}, file)


def test_flags_beat_the_environment_beats_the_file(tmp_path: Path) -> None:
    text = "[listen]\nhttps_port = 1\nhttp_port = 2\ndrain_seconds = 3"
    env = {"LABGATE_LISTEN__HTTPS_PORT": "11", "LABGATE_LISTEN__HTTP_PORT": "12"}
    settings = loaded(tmp_path, text, env, listen={"https_port": "21"})
    listen = settings.listen
    assert (listen.https_port, listen.http_port, listen.drain_seconds) == (21, 12, 3.0)


def test_a_laptop_by_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.origins == (WebOrigin("https", "localhost", 8443),)
    assert (settings.https_port, settings.http_port) == (8443, 8080)
    assert settings.bind == ("127.0.0.1", "::1")


def test_a_domain_makes_it_the_real_thing(tmp_path: Path) -> None:
    settings = loaded(tmp_path, site={"domains": ["Lab.Example.org", "b.example:8443"]})
    assert settings.origins == (
        WebOrigin("https", "lab.example.org", 443),
        WebOrigin("https", "b.example", 8443),
    )
    assert (settings.https_port, settings.http_port) == (443, 80)
    assert settings.bind == ("0.0.0.0", "::")


def test_the_default_public_port_is_the_https_port(tmp_path: Path) -> None:
    settings = loaded(tmp_path, site={"domains": ["a.example"]}, listen={"https_port": 9443})
    assert settings.origins[0].port == 9443


def test_lists_in_the_environment_are_separated_by_commas(tmp_path: Path) -> None:
    settings = loaded(tmp_path, env={"LABGATE_SITE__DOMAINS": "a.example, b.example"})
    assert settings.site.domains == ("a.example", "b.example")


def test_every_problem_is_reported_at_once_with_its_place(tmp_path: Path) -> None:
    text = '[site]\ndomain = "x"\n[jupyter]\nmemory_limit = "much"\n[nonsense]\na = 1'
    env = {"LABGATE_LISTEN__HTTP_PROT": "1", "LABGATE_TLS": "x"}
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text, env, listen={"https_port": "many"})
    message = str(caught.value)
    assert f"{tmp_path}/labgate.toml: site.domain: unknown key; did you mean domains?" in message
    assert "jupyter.memory_limit: 'much' is not an amount of memory" in message
    assert (
        "the environment: LABGATE_LISTEN__HTTP_PROT: unknown key; did you mean http_port" in message
    )
    assert "the environment: LABGATE_TLS: tls is a section; its keys are variables" in message
    assert "the command line: listen.https_port: " in message
    assert "nonsense: unknown key" in message
    assert caught.value.exit_code == 2


CONTRADICTIONS = [
    ({"tls": {"key": ["b"]}}, "0 certificate(s) and 1 key(s): give tls.cert and tls.key in pairs"),
    ({"tls": {"cert": ["a"]}}, "1 certificate(s) and 0 key(s)"),
    ({"tls": {"cert": ["a"], "key": ["b"]}, "listen": {"tls": False}}, "listen.tls = false, so"),
    ({"listen": {"https_port": 81, "http_port": 81}}, "both 81"),
    ({"listen": {"tls": False, "http_port": 0}}, "listen.http_port is 0, which is none"),
    ({"listen": {"https_port": 0}}, "listen.https_port is 0, and no address can name that port"),
    ({"upstream": {"url": "localhost:8888"}}, "scheme"),
    ({"upstream": {"url": "http://127.0.0.1:8443"}}, "where labgate itself listens; write"),
    ({"upstream": {"url": "http://localhost:8080/"}}, "is where labgate itself listens"),
    (
        {"upstream": {"url": "http://[::1]:80/"}, "site": {"domains": ["a.example"]}},
        "is where labgate itself listens",
    ),
    ({"site": {"domains": ["a.example", "A.example:443"]}}, "'A.example:443' is there twice"),
    (
        {"site": {"domains": ["myhost"]}, "acme": {"email": "a@b.example"}},
        "site.domains: myhost is no name of the internet, and Let's Encrypt certifies no other",
    ),
    ({"jupyter": {"volume": "work"}}, "jupyter.volume: 'work' names no folder in the container"),
    ({"jupyter": {"home": "x"}}, "for example jupyter-home:/home/jovyan"),
    ({"jupyter": {"volume": "a b:/x"}}, "'a b' cannot name a volume"),
    (
        {"jupyter": {"volume": "a:/home/jovyan/", "home": "b:/home/jovyan"}},
        "jupyter.volume and jupyter.home are both mounted at /home/jovyan; drop one",
    ),
    ({"jupyter": {"user": "bob"}}, "jupyter.user: 'bob' is neither UID nor UID:GID"),
    ({"site": {"domains": []}}, "at least one"),
    ({"site": {"domains": ["https://a.example"]}}, "bare name"),
    ({"jupyter": {"name": "a b"}}, "jupyter.name: 'a b' is not a container's name: letters"),
    (
        {"site": {"domains": ["192.0.2.7"]}, "acme": {"email": "a@b.example"}},
        "192.0.2.7 is an address, and an address needs a certificate of your own: give --cert",
    ),
    (
        {
            "site": {"domains": ["192.168.1.2"]},
            "acme": {"email": "a@b.example", "profile": "shortlived"},
        },
        "an address needs a certificate of your own",
    ),
]


@pytest.mark.parametrize(("flags", "reason"), CONTRADICTIONS)
def test_contradictions(tmp_path: Path, flags: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, **flags)
    assert reason in str(caught.value)


def test_an_address_may_have_a_certificate_by_acme_where_a_ca_issues_one(tmp_path: Path) -> None:
    site, acme = {"domains": ["8.8.8.8"]}, {"email": "a@b.example"}
    loaded(tmp_path, site=site, acme=acme | {"profile": "shortlived"})
    loaded(tmp_path, site=site, acme=acme | {"directory": "https://ca.example/directory"})


def test_a_named_file_must_exist_and_be_toml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such configuration file"):
        load({}, {}, tmp_path / "missing.toml")
    with pytest.raises(UsageError, match="not valid TOML"):
        loaded(tmp_path, "a = ")
    with pytest.raises(UsageError, match="no such configuration file"):
        load({}, {"LABGATE_CONFIG": str(tmp_path / "missing.toml")})


def test_a_file_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder\. Name a file in it, as .*/labgate\.toml"):
        load({}, {}, tmp_path)
    (tmp_path / "labgate.toml").write_text("[site]", "utf-16")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        load({}, {}, tmp_path / "labgate.toml")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("LABGATE_SITE_DOMAINS", "LABGATE_SITE__DOMAINS"),
        ("LABGATE_LISTEN_HTTPS_PROT", "LABGATE_LISTEN__HTTPS_PORT"),
    ],
)
def test_one_underscore_for_two(variable: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, env={variable: "x"})
    said = f"the environment: {variable}: unknown key; did you mean {meant} (two underscores)?"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("url", "site", "listen"),
    [
        ("http://127.0.0.1:8888", {}, {}),
        ("http://192.0.2.1:8443", {}, {}),
        ("unix:/run/jupyter.sock", {"domains": ["a.example"]}, {}),
        ("http://127.0.0.1:443", {"domains": ["a.example"]}, {"bind": "192.0.2.9"}),
        ("http://127.0.0.1:8443", {}, {"tls": False}),
    ],
)
def test_another_one_upstream(
    url: str, site: dict[str, Any], listen: dict[str, Any], tmp_path: Path
) -> None:
    loaded(tmp_path, upstream={"url": url}, site=site, listen=listen)


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("lab.example.org", True),
        ("xn--tda.de", True),
        ("myhost", False),
        ("lab.local", False),
        ("lab.internal", False),
        ("lab.home.arpa", False),
        ("a.localhost", False),
    ],
)
def test_public_names(host: str, public: bool) -> None:
    assert is_public_name(host) is public


DOMAINS = [
    ("lab.example.org", WebOrigin("https", "lab.example.org", 7)),
    ("LAB.example.org:80", WebOrigin("https", "lab.example.org", 80)),
    ("127.0.0.1:1", WebOrigin("https", "127.0.0.1", 1)),
    ("[::1]:1", WebOrigin("https", "::1", 1)),
    ("[::1]", WebOrigin("https", "::1", 7)),
    ("[2001:DB8:0::1]", WebOrigin("https", "2001:db8::1", 7)),
]


@pytest.mark.parametrize(("text", "expected"), DOMAINS)
def test_domains(text: str, expected: WebOrigin) -> None:
    assert parse_domain(text, 7) == expected


BAD_DOMAINS = [
    ("", "not a domain name"),
    ("-a.example", "not a domain name"),
    ("a..b", "not a domain name"),
    ("a b", "not a domain name"),
    ("a:0", "the port must be a number"),
    ("a:x", "the port must be a number"),
    ("a:99999", "the port must be a number"),
    ("*.a.example", "wildcards are not supported; name each domain"),
    ("*", "wildcards are not supported"),
    ("a/b", "write the bare name"),
    ("ü.de", "as it goes over the wire: xn--tda.de"),
    ("ü..de", "not a domain name"),
    ("::1", "in brackets: [::1]"),
    ("[a.example]", "not an IPv6 address"),
    ("[::1]8443", "not an IPv6 address"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_DOMAINS)
def test_bad_domains(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_domain(text, 443)


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("4g", 4 << 30), ("512M", 512 << 20), ("9", 9)]
)
def test_memory(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


def test_browsers_insist_on_https_for_a_domain_but_not_for_localhost(tmp_path: Path) -> None:
    assert loaded(tmp_path).hsts_seconds == 0
    assert loaded(tmp_path, site={"domains": ["a.example"]}).hsts_seconds == 180 * 24 * 3600
    chosen = loaded(tmp_path, site={"domains": ["a.example"], "hsts_seconds": 0})
    assert chosen.hsts_seconds == 0


def test_addresses_and_ranges(tmp_path: Path) -> None:
    env = {"LABGATE_ACCESS__ALLOW": "192.0.2.7, 2001:db8::/32"}
    text = '[access]\ntrusted_proxies = "10.0.0.5"'
    access = loaded(tmp_path, text, env).access
    assert [str(network) for network in access.allow] == ["192.0.2.7/32", "2001:db8::/32"]
    assert [str(network) for network in access.trusted_proxies] == ["10.0.0.5/32"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('allow = ["10.0.0.1/8"]', ("access.allow", "host bits set", "10.0.0.0/8")),
        ('allow = ["lab.example.org"]', ("access.allow", "lab.example.org", "192.0.2.7")),
        ("proxy_protocol = true", ("proxy_protocol needs trusted_proxies",)),
    ],
)
def test_wrong_access(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, f"[access]\n{text}")
    assert all(word in str(caught.value) for word in words), caught.value


def test_what_was_typed_is_named_as_it_was_typed(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text("[listen]\nhttp_port = 'x'")
    parsed = parse_arguments(["up", "--https-port", "many", "--domain", "*.a.example"])
    with pytest.raises(UsageError) as caught:
        load(parsed.flags, {}, file, parsed.typed)
    message = str(caught.value)
    assert "the command line: --https-port: 'many' is not a whole number" in message
    assert "the command line: --domain: '*.a.example': wildcards are not supported" in message
    assert f"{file}: listen.http_port: 'x' is not a whole number" in message


def test_a_section_that_is_none_is_reported_whatever_else_is_given(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"labgate\.toml: site: site is a section, not a key"):
        loaded(tmp_path, "site = 5", {"LABGATE_SITE__DOMAINS": "a.example"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("serve --cert a", "1 certificate(s) and 0 key(s): give --cert and --key in pairs"),
        ("up --volume a:/x --home b:/x", "--volume and --home are both mounted at /x"),
        ("up --volume work", "the command line: --volume: 'work' names no folder"),
        ("serve --no-tls --cert a --key b", "--no-tls, so --cert and --key have nothing to do"),
    ],
)
def test_other_keys_in_a_sentence_are_named_as_they_were_typed(
    line: str, message: str, tmp_path: Path
) -> None:
    parsed = parse_arguments(line.split())
    (tmp_path / "labgate.toml").write_text("")
    with pytest.raises(UsageError) as caught:
        load(parsed.flags, {}, tmp_path / "labgate.toml", parsed.typed)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_secrets_of_the_doctor_are_no_keys() -> None:
    """They may stand in the environment in which ``labgate up`` is started, too."""
    load({}, {"LABGATE_DOCTOR_TOKEN": "x", "LABGATE_DOCTOR_PASSWORD": "y"})
    with pytest.raises(UsageError, match="LABGATE_DOCTOR_TOKENS"):
        load({}, {"LABGATE_DOCTOR_TOKENS": "x"})

"""Flags become keys; only what was given is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.arguments import parse_arguments


def test_nothing_given_is_nothing_stored() -> None:
    parsed = parse_arguments(["up"])
    assert (parsed.command, parsed.flags, parsed.config) == ("up", {}, None)


def test_flags_are_keys() -> None:
    public = ["--domain", "a.example", "--domain", "b.example:8443", "--no-tls", "--bind", "::"]
    rest = ["--http-port", "0", "--show-headers", "--config", "f.toml"]
    rest += ["--allow", "10.0.0.0/8", "--allow", "::1", "--trusted-proxy", "10.0.0.5"]
    rest += ["--proxy-protocol"]
    parsed = parse_arguments(["serve", "--upstream", "unix:/x", *public, *rest])
    assert parsed.config == Path("f.toml")
    assert parsed.flags == {
        "upstream": {"url": "unix:/x"},
        "site": {"domains": ["a.example", "b.example:8443"]},
        "listen": {"tls": False, "bind": ["::"], "http_port": "0"},
        "log": {"show_headers": True},
        "access": {
            "allow": ["10.0.0.0/8", "::1"],
            "trusted_proxies": ["10.0.0.5"],
            "proxy_protocol": True,
        },
    }


def test_two_parses_share_nothing() -> None:
    parse_arguments(["up", "--domain", "a.example"])
    assert parse_arguments(["up"]).flags == {}


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["up", "--launch", "x"], ["serve", "--image", "x"]]
)
def test_what_cannot_be_read_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments)
    assert caught.value.code == 2
    assert "usage: labgate" in capsys.readouterr().err

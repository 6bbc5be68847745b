"""Which certificate the configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.config.settings import Settings


def settings(folder: Path, **sections: Any) -> Settings:
    given: dict[str, Any] = {
        "site": {"domains": ["a.example", "b.example:8443", "a.example:444"]},
        "state": {"folder": folder},
    }
    return Settings.model_validate(given | sections)


def test_one_certificate_for_every_name(tmp_path: Path) -> None:
    request = certificate_request_of(settings(tmp_path, acme={"email": "me@example.org"}))
    assert request.names == ("a.example", "b.example"), "once each, the canonical one first"
    assert request.state_folder == tmp_path
    assert request.acme.email == "me@example.org"


def test_the_names_of_routes_are_among_them(tmp_path: Path) -> None:
    routes = [
        {"domains": ["ada.example", "b.example"], "upstream": "unix:/run/ada"},
        {"path": "/eve", "upstream": "unix:/run/eve"},
    ]
    request = certificate_request_of(settings(tmp_path, routes=routes))
    assert request.names == ("a.example", "b.example", "ada.example")


def test_challenges_in_the_configured_order(tmp_path: Path) -> None:
    acme = {"challenges": ["tls-alpn-01", "http-01"]}
    request = certificate_request_of(settings(tmp_path, acme=acme))
    assert request.challenge_types == ("tls-alpn-01", "http-01")


def test_without_a_port_for_http_there_is_no_http_challenge(tmp_path: Path) -> None:
    request = certificate_request_of(settings(tmp_path, listen={"http_port": 0}))
    assert request.challenge_types == ("tls-alpn-01",)

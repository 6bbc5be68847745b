"""Whose Jupyter the inspector's mends name; tests/e2e/test_inspect.py has the rest."""

from __future__ import annotations

from typing import Any

from proxy.app import Application
from proxy.cli.administration import mend_facts_of
from proxy.config.settings import Settings
from proxy.net.upstream_address import parse_upstream

ROUTES = [
    {"path": "/ada", "upstream": "http://127.0.0.1:39211/ada"},
    {"domains": ["bob.example.org"], "upstream": "unix:/run/bob.sock"},
]
SITE: dict[str, Any] = {"listen": {"tls": False}, "site": {"domains": ["lab.example.org"]}}


def test_of_the_site() -> None:
    settings = Settings.model_validate(SITE)
    app = Application(settings, access_log=False, renew=False)
    assert "upstream" not in mend_facts_of(settings, app, "")
    app.connect_to(parse_upstream("http://127.0.0.1:39210"))
    assert mend_facts_of(settings, app, "")["upstream"] == "127.0.0.1:39210"


def test_of_a_route() -> None:
    settings = Settings.model_validate(SITE | {"routes": ROUTES})
    app = Application(settings, access_log=False, renew=False)
    ada = mend_facts_of(settings, app, "lab.example.org/ada/")
    assert (ada["domain"], ada["upstream"], ada["path"]) == (
        "lab.example.org",
        "127.0.0.1:39211",
        "/ada/",
    )
    bob = mend_facts_of(settings, app, "bob.example.org/")
    assert (bob["domain"], bob.get("upstream")) == ("bob.example.org", None)

"""A captured request is sent again to its own Jupyter, and to no other behind the same labgate."""

from __future__ import annotations

import pytest

from proxy.config.settings import Settings
from proxy.inspector.replay_request import Destination
from proxy.net.upstream_address import UpstreamAddress
from proxy.routes.destinations import NOWHERE, destination_of

LAB = "lab.example.org"
LAUNCHED = UpstreamAddress("127.0.0.1", 7777)
ADA = UpstreamAddress("127.0.0.1", 8901, base_path="/ada/")
BOB = UpstreamAddress("localhost", 80, "/run/bob")
APP = UpstreamAddress("127.0.0.1", 8903)


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate(
        {
            "site": {"domains": "lab.example.org"},
            "jupyter": {"launch": "auto"},
            "routes": [
                {"path": "/ada", "upstream": "http://127.0.0.1:8901"},
                {"domains": "bob.example.org", "upstream": "unix:/run/bob"},
                {"path": "/app", "strip_prefix": True, "upstream": "http://127.0.0.1:8903"},
            ],
        }
    )


@pytest.mark.parametrize(
    ("host", "target", "destination"),
    [
        ("lab.example.org", "/api", Destination(LAB, LAUNCHED, "/api", route=f"{LAB}/")),
        (
            "lab.example.org",
            "/ada/api?x",
            Destination(LAB, ADA, "/ada/api?x", launched=False, route=f"{LAB}/ada/"),
        ),
        (
            "bob.example.org",
            "/api",
            Destination("bob.example.org", BOB, "/api", launched=False, route="bob.example.org/"),
        ),
        (
            "lab.example.org",
            "/app/x",
            Destination(LAB, APP, "/x", launched=False, route=f"{LAB}/app/"),
        ),
        (
            "eve.example.org",
            "/",
            Destination(LAB, None, "/", launched=False, route="elsewhere", nowhere=NOWHERE),
        ),
    ],
)
def test_where_it_belongs(
    settings: Settings, host: str, target: str, destination: Destination
) -> None:
    assert destination_of(settings, LAUNCHED, host, target) == destination


def test_with_one_jupyter_all_are_for_it() -> None:
    alone = Settings.model_validate({"site": {"domains": "lab.example.org"}})
    found = Destination("lab.example.org", LAUNCHED, "/x")
    assert destination_of(alone, LAUNCHED, "eve.example.org", "/x") == found

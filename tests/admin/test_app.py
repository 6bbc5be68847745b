"""No request on a public port reaches what an administrator has, whatever it asks for.

``Internal`` is the one decision for an application of labgate's, and the public one is all that
has. What the applications of an administrator answer is in test_exchanges and test_protection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client.metrics_core import Metric

from proxy.admin.app import make_admin_app
from proxy.admin.protection import BASE
from proxy.admin.replay import Replay
from proxy.admin.server import same_user
from proxy.hub.admin import HubInstance
from proxy.inspector.inspector import Inspector
from proxy.rules.decide import (
    CHALLENGE_PREFIX,
    HEALTH_PATH,
    LOGOUT_PATH,
    READY_PATH,
    decide,
    is_own_path,
)
from proxy.rules.decision import Internal
from proxy.rules.head import Field, RequestHead
from proxy.service.commands_api import command_routes
from proxy.service.instance import Instance
from proxy.web.app import make_app
from proxy.web.metrics import make_metrics_app
from tests.heads import HOST, SITE, get
from tests.rules.test_decide import OWN, UPGRADE
from tests.rules.test_hub_requests import CHECKED, OPEN, SUBDOMAINS

from .conftest import no_facts

OPEN_TO_ALL = replace(SITE, requires_login=True, challenges=True)
"""Each path of labgate's own is answered there."""
SITES = [
    *((site, HOST) for site in (SITE, OPEN_TO_ALL, replace(SITE, has_upstream=False))),
    *((site, b"Host: hub.example.org") for site in (OPEN, CHECKED, SUBDOMAINS)),
]
LINES = [(OWN,), (OWN, *UPGRADE)]

OF_AN_ADMINISTRATOR = {
    *("/", "/metrics", BASE, BASE + "inspector.js", BASE + "api/state", BASE + "api/live"),
    *(BASE + "api/exchanges/1/replay", BASE + "api/har", BASE + "api/status", BASE + "api/stop"),
}
"""Some of the paths that must be among those tried."""

Asked = tuple[str, str]
"""A method and a path."""


@pytest.fixture
def administrators(inspector: Inspector, replay: Replay) -> list[web.Application]:
    """The inspector's with the commands of its socket, that of a Hub's proxy, and the metrics."""

    async def nothing() -> list[Metric]:
        return []

    inspectors = make_admin_app(inspector, replay, same_user, dict, no_facts)
    inspectors.add_routes(command_routes(cast(Instance, None)))
    of_the_hub = web.Application()
    of_the_hub.add_routes(object.__new__(HubInstance).commands())
    return [inspectors, of_the_hub, make_metrics_app(nothing, "localhost")]


@pytest.fixture
def public() -> web.Application:
    async def end_sessions(_head: RequestHead) -> tuple[Field, ...]:
        return ()

    async def answers() -> bool:
        return True

    return make_app(upstream_answers=answers, end_sessions=end_sessions)


def asked(app: web.Application) -> set[Asked]:
    """Every method but HEAD and every path that it knows; of a pattern one that it takes."""
    return {
        (route.method.replace("*", "GET"), re.sub(r"\{\w+\}", "1", route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


def spellings(path: bytes) -> Iterator[bytes]:
    """Ways to write a path that something behind labgate may take for the same."""
    yield from (path, path + b"?token=x", b"/" + path, b"/." + path, path.replace(b"i", b"%69"))
    for beginning in (b"/.labgate", b"/.labgate/health", CHALLENGE_PREFIX + b"x", b"/lab"):
        yield from (beginning + path, beginning + b"/.." + path, beginning + b"/%2e%2e" + path)
    yield b"http://lab.example.org" + path
    yield path.rstrip(b"/") or b"*"


async def is_answered(app: web.Application, method: str, path: str) -> bool:
    """Whether the application has a route for it."""
    match = await app.router.resolve(make_mocked_request(method, path))
    return match.http_exception is None


async def test_no_decision_reaches_what_an_administrator_has(
    administrators: list[web.Application], public: web.Application
) -> None:
    paths = {each for app in administrators for each in asked(app)}
    assert {path for _, path in paths} >= OF_AN_ADMINISTRATOR
    for method, path in paths:
        assert not await is_answered(public, method, path)
        for target in spellings(path.encode()):
            for (site, host), lines in product(SITES, LINES):
                head = get(host, *lines, target=target, method=method.encode())
                assert not isinstance(decide(head, site), Internal), target
            assert not is_own_path(target) or target.startswith(CHALLENGE_PREFIX)


@pytest.mark.parametrize(
    "path", [HEALTH_PATH, READY_PATH, LOGOUT_PATH, CHALLENGE_PREFIX + b"token"]
)
async def test_what_is_decided_for_labgates_own_paths_is_in_the_public_application_alone(
    path: bytes, administrators: list[web.Application], public: web.Application
) -> None:
    decision = decide(get(HOST, target=path), OPEN_TO_ALL)
    assert isinstance(decision, Internal)
    target = decision.head.target.decode()
    assert await is_answered(public, "GET", target)
    inspectors, *_ = administrators
    assert not await is_answered(inspectors, "GET", target)

"""Where each request goes, and what holds for it there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.lockout import Lockout
from proxy.cache.static_cache import StaticCache
from proxy.errors import UpstreamDown
from proxy.net.limits import (
    DEFAULT_LIMITS,
    WEB_APP_REQUESTS,
    WEB_APP_REQUESTS_PER_ADDRESS,
    new_request_limit,
    new_web_app_limit,
)
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.rules.decision import Forward, Internal, Refuse, Tunnel
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from proxy.rules.stripped_prefix import StrippedPrefix
from tests.edges import PUBLIC
from tests.heads import JUPYTER, get

SITE = make_site((PUBLIC,), JUPYTER, hsts_seconds=60, requires_login=True)


@pytest.fixture
def router() -> Router:
    limit = new_request_limit(DEFAULT_LIMITS)
    return Router(SITE, Pool(None), Pool(None), limit, new_web_app_limit())


def test_what_the_rules_forward_goes_to_jupyter(router: Router) -> None:
    for decision in (Forward(get()), Tunnel(get())):
        assert router.route(decision) is router.jupyter


def test_a_path_of_labgates_own_goes_to_its_application(router: Router) -> None:
    route = router.route(Internal(get()))
    assert route is router.web_app
    assert route.pool is not router.jupyter.pool
    assert route.access_control is None
    assert route.outage is None
    assert route.internal
    assert not router.jupyter.internal
    assert router.routes == (router.jupyter, router.web_app)


def test_limits_may_change(router: Router) -> None:
    proxy = Networks([ip_network("192.0.2.0/28")])
    router.change_limits(replace(DEFAULT_LIMITS, requests=5, requests_per_address=2), proxy)
    for route, address, most in (
        (router.jupyter, "203.0.113.7", 2),
        (router.web_app, "203.0.113.7", WEB_APP_REQUESTS_PER_ADDRESS),
        (router.web_app, "192.0.2.1", WEB_APP_REQUESTS - WEB_APP_REQUESTS_PER_ADDRESS),
        (router.jupyter, "192.0.2.1", 3),
    ):
        taken = [route.limit.acquire(address) for _ in range(most + 1)]
        assert [slot is not None for slot in taken] == [True] * most + [False]


def test_a_new_configuration_is_that_of_every_route_made_from_then_on(router: Router) -> None:
    before = router.jupyter
    site = replace(SITE, base_path="/user/")
    router.use(site)
    assert router.site is site
    assert router.jupyter.site is site
    assert router.web_app.site == site.for_web_app()
    assert before.site is SITE, "a request that has begun keeps its own"
    assert router.jupyter.outage is before.outage
    assert router.jupyter.pool is before.pool


def test_the_log_calls_an_upstream_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    limits = new_request_limit(DEFAULT_LIMITS), new_web_app_limit()
    alone, named, renamed = (
        Router(SITE, Pool(None), Pool(None), *limits, name=name) for name in ("", "/ada", "/ada")
    )
    renamed.rename("/bob")
    for router in (alone, named, renamed):
        assert router.jupyter.outage is not None
        router.jupyter.outage.failed("GET /", UpstreamDown("refused"))
    names = [
        message.partition(" until ")[2].partition(" answers")[0] for message in caplog.messages
    ]
    assert names == ["Jupyter", "the Jupyter of /ada", "the Jupyter of /bob"]
    renamed.rename("")
    assert renamed.jupyter.outage is not None
    renamed.jupyter.outage.end()
    assert caplog.messages[-1].startswith("Jupyter answers now")


def test_a_request_is_of_the_route_that_it_is_forwarded_to() -> None:
    limits = new_request_limit(DEFAULT_LIMITS), new_web_app_limit()
    named = Router(SITE, Pool(None), Pool(None), *limits, name="/ada")

    def names() -> list[str]:
        decisions = Forward(get()), Forward(get(), Refuse(403, "origin", "")), Internal(get())
        return [named.name, *(named.route(decision).name for decision in decisions)]

    assert names() == ["/ada"] * 4
    named.rename("/bob")
    named.use(SITE)
    assert names() == ["/bob"] * 4


def test_an_upstream_may_not_know_of_the_whole_path(router: Router) -> None:
    for stripped, target in ((StrippedPrefix(b"/ada/"), b"/lab"), (None, b"/ada/lab")):
        router.use(replace(SITE, stripped=stripped))
        for refusal in (None, Refuse(403, "origin", "")):
            route = router.route(Forward(get(), refusal))
            head = get(target=b"/ada/lab")
            assert (head if route.adapt is None else route.adapt(head)).target == target


async def test_no_file_of_the_cache_is_for_what_would_be_refused(router: Router) -> None:
    cache = StaticCache(router.jupyter.pool, None, 1000)
    try:
        router.keep_files(cache)
        site = replace(SITE, observe=True)
        router.use(site)
        assert router.jupyter.cache is cache
        assert cache._checks.site is site
        assert router.route(Forward(get(), Refuse(403, "origin", ""))).cache is None
    finally:
        cache.close()


def test_access_control_protects_jupyter_alone(router: Router) -> None:
    access_control = AccessControl(Lockout(1, 900.0))
    router.protect(access_control)
    assert router.jupyter.access_control is access_control
    assert router.web_app.access_control is None
    router.use(SITE)
    assert router.jupyter.access_control is access_control


def test_what_would_be_refused_goes_to_jupyter_unmodified(router: Router) -> None:
    access_control = AccessControl(Lockout(1, 900.0))
    router.use(replace(SITE, observe=True))
    router.protect(access_control)
    refusal = Refuse(403, "origin", "")
    for decision in (Forward(get(), refusal), Tunnel(get(), refusal)):
        route = router.route(decision)
        assert route.pool is router.jupyter.pool
        assert route.site == replace(SITE, observe=True, preserve=True)
        assert route.access_control is access_control
    assert router.route(Forward(get())) is router.jupyter


@pytest.mark.parametrize("networks", [[], ["192.0.2.0/24"]])
def test_trusted_proxies_of_a_new_configuration_count(router: Router, networks: list[str]) -> None:
    trusted_proxies = Networks([ip_network(network) for network in networks])
    router.use(replace(SITE, trusted_proxies=trusted_proxies))
    assert router.behind_proxies is bool(networks)

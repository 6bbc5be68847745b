"""A captured request is sent again to the target of its route, and to no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.hub.destinations import NOWHERE, hub_destination_of
from proxy.hub.options import Endpoint, HubOptions
from proxy.hub.route_table import RouteTable
from proxy.inspector.replay_request import Destination
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.site import WebOrigin

HERE = Endpoint(("127.0.0.1",), 8000)
OPTIONS = HubOptions(public=HERE, api=HERE)
ADA = UpstreamAddress("10.0.0.7", 8888)
HOST = "hub.example.org:8000"


def table(*, by_host: bool = False, **routes: str) -> RouteTable:
    made = RouteTable(OPTIONS.client_tls, by_host=by_host)
    for path, target in routes.items():
        made.add(path.replace("_", "/"), {"target": target})
    return made


@pytest.mark.parametrize(
    ("changes", "target", "up"),
    [
        ({}, "/user/ada/api?x=%2F", "/below/user/ada/api?x=%2F"),
        ({"prepend_path": False}, "/user/ada/api?x=%2F", "/user/ada/api?x=%2F"),
        ({"include_prefix": False}, "/user/ada/api", "/below/api"),
    ],
)
def test_to_the_target_of_its_route(changes: dict[str, Any], target: str, up: str) -> None:
    routes = table(_user_ada="http://10.0.0.7:8888/below", _="http://hub:1")
    found = hub_destination_of(replace(OPTIONS, **changes), routes, HOST, target)
    assert found == Destination(HOST, ADA, up, launched=False, route="/user/ada")
    assert list(routes.pools) == [], "nothing is opened for it"


def test_by_host() -> None:
    by_host = replace(OPTIONS, host_routing=True)
    routes = table(by_host=True, _ada="http://10.0.0.7:8888")
    found = hub_destination_of(by_host, routes, "Ada:8000", "/x")
    assert found == Destination("Ada:8000", ADA, "/x", launched=False, route="/ada")
    assert hub_destination_of(by_host, routes, "bob", "/x").address is None


def test_where_no_route_is() -> None:
    expected = Destination(HOST, None, "/x", launched=False, nowhere=NOWHERE)
    assert hub_destination_of(OPTIONS, table(), HOST, "/x") == expected


@pytest.mark.parametrize("host", ["", "gr\xfc\xdfe", "a b"])
def test_a_host_that_is_none_is_not_sent(host: str) -> None:
    """An archive that was read in may have anything there."""
    public = replace(OPTIONS, public_origin=WebOrigin("https", "hub.example.org", 443))
    assert hub_destination_of(public, table(), host, "/x").authority == "hub.example.org"
    assert hub_destination_of(OPTIONS, table(), host, "/x").authority == "localhost:8000"

"""How the Hub's API compares tokens, which no answer shows; ``test_contract`` has the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from hmac import compare_digest
from types import FrameType

from aiohttp.test_utils import make_mocked_request

from proxy.hub.api import ApiCounts, RoutesApi
from proxy.hub.route_table import RouteTable
from proxy.hub.shared_routes import SharedRoutes
from proxy.net.upstream_tls import UpstreamTls


def called_in(call: Callable[[], object]) -> list[object]:
    """The functions of C that a call calls."""
    called: list[object] = []

    def note(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_call":
            called.append(function)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return called


def test_a_token_is_compared_in_a_time_that_tells_nothing() -> None:
    api = RoutesApi(SharedRoutes(RouteTable(UpstreamTls())), "the token", ApiCounts())
    request = make_mocked_request("GET", "/api/routes", {"Authorization": "token another"})
    assert compare_digest in called_in(lambda: api._authorized(request))

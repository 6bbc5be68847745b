"""What a Hub and its users rely on, asked of labgate and of configurable-http-proxy.

``make test`` asks labgate; ``make test-deployment`` both. Written from CHP's documentation; where
they differ on purpose ``differences`` says why. The flags are in ``test_contract_flags`` and
``test_contract_tls``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.programs import until
from tests.hub.raw import RawClient, open_websocket, raw_target, read_until
from tests.hub.running import RawWebSocket, RunningProxy, ask, echo_target, unused_port

# The API


def test_routes_are_added_listed_and_removed(proxy: RunningProxy, target: str) -> None:
    assert proxy.api("GET").json == {}
    data = {"target": target, "user": "ada", "nested": {"a": [1]}}
    assert proxy.api("POST", "/user/ada", data).status == 201
    listed = proxy.api("GET")
    assert listed.fields["content-type"].startswith("application/json")
    assert {**listed.json["/user/ada"], "last_activity": 0} == {**data, "last_activity": 0}
    assert proxy.api("GET", "/user/ada").json == listed.json["/user/ada"]
    assert proxy.api("GET", "/user/ada/").status == 200
    assert proxy.api("DELETE", "/user/ada").status == 204
    assert proxy.api("DELETE", "/user/ada").status == 404
    assert proxy.api("GET", "/user/ada").status == 404
    assert proxy.api("GET").json == {}


def test_the_default_route(proxy: RunningProxy, target: str) -> None:
    assert proxy.api("POST", "", {"target": target}).status == 201
    assert list(proxy.api("GET").json) == ["/"]
    assert proxy.get("/anything").json["target"] == "/anything"
    assert proxy.api("DELETE", "/").status == 204


def test_keys_are_unescaped_and_have_no_slash_behind(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/user/a%40b%20c/", {"target": target})
    assert list(proxy.api("GET").json) == ["/user/a@b c"]
    assert proxy.get("/user/a%40b%20c/x").json["target"] == "/user/a%40b%20c/x"
    assert proxy.get("/user/a@b%20c/x").status == 200
    assert proxy.api("DELETE", "/user/a@b%20c").status == 204


NO_JSON = [
    *("{", ""),
    *(f'{{"target":"http://h:1","x":{name}}}' for name in ("NaN", "-Infinity")),
    '{"target":"http://h:1",\n"x":Infinity}',
]


@pytest.mark.parametrize("body", [*NO_JSON, "[]", "{}", '{"target": 1}', '"x"'])
def test_what_is_no_route_is_refused(proxy: RunningProxy, body: str) -> None:
    assert proxy.api("POST", "/x", body).status == 400
    assert proxy.api("GET").json == {}


@pytest.mark.parametrize("token", [None, "wrong", ""])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_token_is_wanted(proxy: RunningProxy, method: str, token: str | None) -> None:
    assert proxy.api(method, "/x", token=token).status == 403


def test_a_wrong_token_adds_nothing(proxy: RunningProxy, target: str) -> None:
    assert proxy.api("POST", "/x", {"target": target}, token="wrong").status == 403
    assert proxy.api("GET").json == {}


def test_other_addresses_and_methods(proxy: RunningProxy) -> None:
    for path in ("/", "/api", "/api/routesx", "/metrics"):
        assert ask(proxy.api_port, "GET", path).status == 404
    for method in ("PUT", "PATCH", "HEAD"):
        assert proxy.api(method, "/x").status == 405


def test_routes_inactive_since(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/x", {"target": target})
    now = datetime.now(UTC)
    for name in ("inactiveSince", "inactive_since"):
        for shift, count in ((-3600, 0), (3600, 1)):
            at = (now + timedelta(seconds=shift)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            assert len(proxy.api("GET", f"?{name}={at}").json) == count
    assert proxy.api("GET", "?inactiveSince=yesterday").status == 400


def test_a_route_may_be_replaced(proxy: RunningProxy, target: str) -> None:
    with echo_target("other") as other:
        proxy.api("POST", "/x", {"target": target})
        assert proxy.get("/x").json["server"] == "target"
        proxy.api("POST", "/x", {"target": other})
        assert proxy.get("/x").json["server"] == "other"
        assert proxy.api("GET", "/x").json["target"] == other


# Requests


def test_the_longest_prefix_of_whole_segments(proxy: RunningProxy) -> None:
    with echo_target("hub") as hub, echo_target("ada") as ada, echo_target("lab") as lab:
        for path, url in (("/", hub), ("/user/ada", ada), ("/user/ada/lab", lab)):
            proxy.api("POST", path, {"target": url})
        paths = {
            "/hub": "hub",
            "/user/ada": "ada",
            "/user/ada/": "ada",
            "/user/ada/x?y=/user/ada/lab": "ada",
            "/user/adam": "hub",
            "/user/ada;x/": "hub",
            "/user%2Fada/x": "ada",
            "/user/%61da/x": "ada",
            "/user/ada/lab/x": "lab",
        }
        assert {path: proxy.get(path).json["server"] for path in paths} == paths
        assert all(proxy.get(path).json["target"] == path for path in paths)


def test_a_targets_own_path_comes_first(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/x", {"target": f"{target}/base"})
    assert proxy.get("/x/y?z").json["target"] == "/base/x/y?z"


def test_host_origin_and_referer_pass(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    seen = proxy.get(
        "/", Host="hub.example.org", Origin="https://evil.example", Referer="https://x.example/"
    ).json["fields"]
    assert seen["host"] == "hub.example.org"
    assert seen["origin"] == "https://evil.example"
    assert seen["referer"] == "https://x.example/"


def test_x_forwarded(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    seen = proxy.get("/", Host="hub.example.org:81").json["fields"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-port"] == "81"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == "hub.example.org:81"
    before = {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "https"}
    seen = proxy.get("/", **before, X_Forwarded_Host="outer").json["fields"]
    assert seen["x-forwarded-for"] == "192.0.2.1,127.0.0.1"
    assert seen["x-forwarded-proto"] == "https,http"
    assert seen["x-forwarded-host"] == "outer"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_content_goes_up(proxy: RunningProxy, target: str, method: str) -> None:
    proxy.api("POST", "/", {"target": target})
    assert proxy.get("/", method, "content").json["content"] == "content"


def test_redirects_pass_as_they_are(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    assert proxy.get("/?status=302").fields["location"] == f"{target}/moved"


def test_a_websocket(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/user/ada", {"target": target})
    opened = RawWebSocket(proxy.port, "/user/ada/api/kernels/1/channels")
    assert opened.status == 101
    assert opened.say(b"bytes") == b"bytes"
    opened.close()


# Activity


def test_success_is_activity_and_errors_and_redirects_are_not(
    proxy: RunningProxy, target: str
) -> None:
    proxy.api("POST", "/x", {"target": target})
    added = proxy.activity("/x")
    datetime.strptime(added, "%Y-%m-%dT%H:%M:%S.%fZ")
    for status in (302, 404, 500):
        assert proxy.get(f"/x?status={status}").status == status
    assert proxy.activity("/x") == added
    until(lambda: proxy.get("/x").status == 200 and proxy.activity("/x") > added, "no activity")


def test_the_end_of_a_response_is_activity_and_its_begin_is_not(proxy: RunningProxy) -> None:
    with raw_target() as target:
        proxy.api("POST", "/x", {"target": target.url})
        before = proxy.past_activity("/x")
        client = RawClient(proxy.port, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        server, _ = target.accept()
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        client.read_until(b"half")
        assert proxy.activity("/x") == before
        server.sendall(b"rest")
        client.read_until(b"rest")
        until(lambda: proxy.activity("/x") > before, "no activity")
        client.close()
        server.close()


def test_what_a_client_sends_over_a_websocket_is_activity(proxy: RunningProxy) -> None:
    with raw_target() as target:
        proxy.api("POST", "/x", {"target": target.url})
        with open_websocket(proxy.port, target) as (client, server):
            before = proxy.past_activity("/x")
            client.connection.sendall(b"data")
            read_until(server, b"data")
            until(lambda: proxy.activity("/x") > before, "no activity")


# Errors


def test_no_route_is_the_error_targets_404(proxy: RunningProxy) -> None:
    reply = proxy.get("/nothing/here?a=b%20c&d", Cookie="secret=1")
    assert reply.status == 404
    assert reply.fields["content-type"] == "application/x-echo"
    asked = reply.json
    assert asked["method"] == "GET"
    path, _, query = asked["target"].partition("?url=")
    assert path == "/hub/error/404"
    assert query.replace("%2F", "/").replace("%3F", "?") == "/nothing/here?a%3Db%2520c%26d"
    assert "cookie" not in asked["fields"]


def test_a_target_that_is_away_is_the_error_targets_503(proxy: RunningProxy) -> None:
    proxy.api("POST", "/x", {"target": f"http://127.0.0.1:{unused_port()}"})
    reply = proxy.get("/x/y", "POST", "content")
    assert reply.status == 503
    assert reply.json["target"].startswith("/hub/error/503?url=")


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/away", 503)])
def test_a_websocket_gets_the_bare_status(proxy: RunningProxy, path: str, status: int) -> None:
    proxy.api("POST", "/away", {"target": f"http://127.0.0.1:{unused_port()}"})
    refused = RawWebSocket(proxy.port, path)
    assert refused.status == status
    assert b"content-length: 0" in refused.head.lower()
    assert refused.rest == b""
    refused.close()


def test_health(proxy: RunningProxy) -> None:
    reply = proxy.get("/_chp_healthz")
    assert (reply.status, reply.json) == (200, {"status": "OK"})

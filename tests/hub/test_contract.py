"""What a Hub and its users rely on, asked of labgate and of configurable-http-proxy.

``make test`` asks labgate; ``make test-deployment`` both. Written from CHP's documentation; where
they differ on purpose ``differences`` says why.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.programs import until
from tests.hub.differences import DIFFERENCES
from tests.hub.running import (
    RawWebSocket,
    RunningProxy,
    as_process,
    ask,
    echo_target,
    folder_of,
    running,
    unused_port,
)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with echo_target() as url:
        yield url


@pytest.fixture(scope="module")
def shared(command: Sequence[str], target: str) -> Iterator[RunningProxy]:
    """A proxy with an error target, which a test leaves without routes."""
    with running(command, "--error-target", f"{target}/hub/error") as proxy:
        yield proxy


@pytest.fixture
def proxy(shared: RunningProxy) -> Iterator[RunningProxy]:
    yield shared
    for path in shared.api("GET").json:
        shared.api("DELETE", path)


def expected(kind: str, name: str) -> object:
    difference = DIFFERENCES[name]
    return difference.chp if kind == "chp" else difference.labgate


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


@pytest.mark.parametrize("body", ["{", "", "[]", "{}", '{"target": 1}', '"x"'])
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


def activity(proxy: RunningProxy, path: str) -> str:
    return str(proxy.api("GET", path).json["last_activity"])


def test_success_is_activity_and_errors_and_redirects_are_not(
    proxy: RunningProxy, target: str
) -> None:
    proxy.api("POST", "/x", {"target": target})
    added = activity(proxy, "/x")
    datetime.strptime(added, "%Y-%m-%dT%H:%M:%S.%fZ")
    for status in (302, 404, 500):
        assert proxy.get(f"/x?status={status}").status == status
    assert activity(proxy, "/x") == added
    until(lambda: proxy.get("/x").status == 200 and activity(proxy, "/x") > added, "no activity")


def test_a_websockets_data_is_activity(proxy: RunningProxy, target: str) -> None:
    proxy.api("POST", "/x", {"target": target})
    opened = RawWebSocket(proxy.port, "/x")
    before = activity(proxy, "/x")
    # Times have milliseconds, and the first data may come in the one that the route was made in.
    until(lambda: opened.say(b"data") == b"data" and activity(proxy, "/x") > before, "no activity")
    opened.close()


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


# Flags


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        (["--no-include-prefix"], {"target": "/base/y?z"}),
        (["--no-prepend-path"], {"target": "/x/y?z"}),
        (["--custom-header", "X-A: b:c", "--custom-header", "x-d:e"], {"x-a": "b:c", "x-d": "e"}),
        (["--no-x-forward"], {"x-forwarded-for": None, "x-forwarded-host": None}),
        (["--change-origin"], {"host": "TARGET"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_flags_about_what_goes_up(
    command: Sequence[str], target: str, flags: list[str], seen: dict[str, str | None]
) -> None:
    with running(command, *flags) as proxy:
        proxy.api("POST", "/x", {"target": f"{target}/base"})
        asked = proxy.get("/x/y?z").json
    flat = {**asked["fields"], "target": asked["target"]}
    authority = target.removeprefix("http://")
    wanted = {name: authority if value == "TARGET" else value for name, value in seen.items()}
    assert {name: flat.get(name) for name in wanted} == wanted


def test_flags_about_redirects(command: Sequence[str], target: str) -> None:
    with running(command, "--auto-rewrite", "--protocol-rewrite", "https") as proxy:
        proxy.api("POST", "/", {"target": target})
        moved = proxy.get("/?status=302", Host="hub.example.org:81").fields["location"]
        assert moved == "https://hub.example.org:81/moved"


def test_host_routing(command: Sequence[str]) -> None:
    with (
        echo_target("hub") as hub,
        echo_target("ada") as ada,
        running(command, "--host-routing", "--default-target", hub) as proxy,
    ):
        proxy.api("POST", "/ada.example.org/user/ada", {"target": ada})
        assert proxy.api("GET").json["/ada.example.org/user/ada"]["host"] == "ada.example.org"
        at_ada = {"Host": f"ada.example.org:{proxy.port}"}
        assert proxy.get("/user/ada/x", **at_ada).json["server"] == "ada"
        assert proxy.get("/user/ada/x", **at_ada).json["target"] == "/user/ada/x"
        assert proxy.get("/other", **at_ada).json["server"] == "hub"
        assert proxy.get("/user/ada/x", Host="bob.example.org").json["server"] == "hub"


def test_error_path(command: Sequence[str], tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ("404.html", "<p>nothing"), ("error.html", "<p>some error"))
    with running(command, "--error-path", str(folder)) as proxy:
        proxy.api("POST", "/x", {"target": f"http://127.0.0.1:{unused_port()}"})
        missing, away = proxy.get("/y"), proxy.get("/x")
    assert (missing.status, missing.content) == (404, b"<p>nothing")
    assert (away.status, away.content) == (503, b"<p>some error")
    assert missing.fields["content-type"].startswith("text/html")


def test_an_error_target_that_is_away(command: Sequence[str]) -> None:
    away = f"http://127.0.0.1:{unused_port()}"
    with running(command, "--error-target", away) as proxy:
        assert proxy.get("/y").status == 404


def test_proxy_timeout(command: Sequence[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running(command, "--proxy-timeout", "300") as proxy:
            proxy.api("POST", "/x", {"target": f"http://127.0.0.1:{port}"})
            assert proxy.get("/x").status == 503


def test_metrics(command: Sequence[str], target: str) -> None:
    port = unused_port()
    with running(command, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port)) as proxy:
        proxy.api("POST", "/x", {"target": target})
        proxy.api("GET")
        proxy.get("/x")
        RawWebSocket(proxy.port, "/x").close()
        proxy.api("DELETE", "/x")
        text = ask(port, "GET", "/metrics").content.decode()
        assert ask(port, "GET", "/other").status == 404
    lines = [line.split(" ") for line in text.splitlines() if line and not line.startswith("#")]
    values = {name: float(value) for name, value, *_ in lines}
    for name in ("api_route_get", "api_route_add", "api_route_delete", "requests_ws"):
        assert values[name] == 1, name
    assert values["requests_web"] == 1
    assert values['requests_proxy{status="200"}'] == 1
    assert values['requests_api{status="201"}'] == 1
    assert values["find_target_for_req_count"] == 2


def test_a_pid_file(command: Sequence[str], tmp_path: Path) -> None:
    file = tmp_path / "proxy.pid"
    with as_process(command, "--pid-file", str(file)) as proxy:
        assert proxy.process is not None
        until(lambda: file.exists() and file.read_text(), "no pid file")
        assert int(file.read_text()) == proxy.process.pid
        proxy.stop()
    assert not file.exists()


# Differences


def test_sigterm(command: Sequence[str], kind: str) -> None:
    with as_process(command) as proxy:
        assert proxy.stop() == expected(kind, "sigterm")


def test_without_a_token(command: Sequence[str], kind: str) -> None:
    with running(command, token="") as proxy:
        assert proxy.api("GET", token=None).status == expected(kind, "no token")


def test_broken_json_without_a_token(proxy: RunningProxy, kind: str) -> None:
    status = proxy.api("POST", "/x", "{", token=None).status
    assert status == expected(kind, "json before token")


def test_a_target_that_is_none(proxy: RunningProxy, kind: str) -> None:
    status = proxy.api("POST", "/x", {"target": "no url"}).status
    assert status == expected(kind, "bad target")


def test_fields_that_one_of_them_adds(proxy: RunningProxy, kind: str, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    seen = proxy.get("/").json["fields"]
    assert seen.get("via") == expected(kind, "via")
    assert ("x-request-id" in seen) is expected(kind, "request id")


def test_what_a_client_says_of_itself(proxy: RunningProxy, kind: str, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    seen = proxy.get("/", X_Real_IP="192.0.2.1", X_Scheme="https").json["fields"]
    claims = (seen.get("x-real-ip"), seen.get("x-scheme"))
    assert claims == expected(kind, "real ip and scheme")


def test_a_redirect_to_a_host_without_a_port(
    command: Sequence[str], kind: str, target: str
) -> None:
    with running(command, "--auto-rewrite") as proxy:
        proxy.api("POST", "/", {"target": target})
        moved = proxy.get("/?status=302", Host="hub.example.org").fields["location"]
    port = target.rpartition(":")[2]
    assert moved.replace(port, "PORT") == expected(kind, "redirect without a port")


def test_the_scheme_of_a_websocket(proxy: RunningProxy, kind: str, target: str) -> None:
    proxy.api("POST", "/", {"target": target})
    refused = RawWebSocket(proxy.port, "/?status=403")
    while not refused.rest.endswith(b"}"):
        refused.rest += refused.end()
    seen = json.loads(refused.rest[refused.rest.index(b"{") :])["fields"]
    refused.close()
    assert seen["x-forwarded-proto"] == expected(kind, "websocket proto")


def test_a_broken_encoding(proxy: RunningProxy, kind: str) -> None:
    assert proxy.get("/x%zz").status == expected(kind, "broken encoding")


def test_an_encoded_prefix_is_cut(command: Sequence[str], kind: str, target: str) -> None:
    with running(command, "--no-include-prefix") as proxy:
        proxy.api("POST", "/a%20b", {"target": target})
        seen = proxy.get("/a%20b/x").json["target"]
        assert seen == expected(kind, "stripped encoded prefix")


def test_data_that_nests_deep(proxy: RunningProxy, kind: str, target: str) -> None:
    body = f'{{"target": "{target}", "x": {"[" * 200 + "]" * 200}}}'
    assert proxy.api("POST", "/x", body).status == expected(kind, "nested json")


def test_timeout(command: Sequence[str], kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running(command, "--timeout", "300") as proxy:
            proxy.api("POST", "/x", {"target": f"http://127.0.0.1:{port}"})
            try:
                seen: object = proxy.get("/x").status
            except http.client.RemoteDisconnected:
                seen = "the connection ends"
    assert seen == expected(kind, "timeout")


def test_the_metric_of_activity(command: Sequence[str], kind: str) -> None:
    port = unused_port()
    with running(command, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port)):
        text = ask(port, "GET", "/metrics").content.decode()
    assert ("last_activity_updating" in text) is expected(kind, "activity metric")

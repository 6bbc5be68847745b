"""The proxy as a whole: what lives on when routes change, restarts, sockets, and its end."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import resource
import socket
from pathlib import Path

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from proxy.cli.arguments import parse_arguments
from proxy.cli.hub import hub_options
from proxy.errors import StartError
from proxy.hub.hub_proxy import HubProxy
from proxy.hub.sites import hub_limits
from proxy.service.takeover import Takeover
from tests.e2e.programs import until
from tests.hub.raw import RawClient, over_unix
from tests.hub.running import (
    LABGATE,
    TOKEN,
    ProxyThread,
    RawWebSocket,
    as_process,
    ask,
    echo_target,
    in_thread,
    limited,
    unused_port,
)


def test_a_websocket_lives_on_when_its_route_is_moved_or_removed() -> None:
    with echo_target() as target, echo_target("other") as other, in_thread() as proxy:
        proxy.api("POST", "/x", {"target": target})
        opened = RawWebSocket(proxy.port, "/x")
        proxy.api("POST", "/x", {"target": other})
        assert opened.say(b"one") == b"one"
        proxy.api("DELETE", "/x")
        assert opened.say(b"two") == b"two"
        assert proxy.get("/x").status == 404
        opened.close()


def test_kept_connections_go_to_no_old_target() -> None:
    with echo_target("old") as old, echo_target("new") as new, in_thread() as proxy:
        proxy.api("POST", "/", {"target": old})
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
        for _ in range(2):
            client.request("GET", "/")
            assert b'"old"' in client.getresponse().read()
        proxy.api("POST", "/", {"target": new})
        client.request("GET", "/")
        assert b'"new"' in client.getresponse().read()
        client.close()


def test_one_client_reaches_several_targets_with_the_same_fields() -> None:
    """What is cached for a connection's fields must not stick to the first target."""
    with echo_target("a") as a, echo_target("b") as b:
        for flags in ([], ["--change-origin"]):
            with in_thread(*flags) as proxy:
                proxy.api("POST", "/a", {"target": a})
                proxy.api("POST", "/b", {"target": f"{b}/base"})
                client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
                seen = []
                for path in ("/a", "/b", "/nothing", "/_chp_healthz", "/a", "/b"):
                    client.request("GET", path)
                    response = client.getresponse()
                    content = response.read().decode()
                    seen.append((response.status, "/base/b" in content, content))
                client.close()
            assert [status for status, *_ in seen] == [200, 200, 404, 200, 200, 200]
            assert [based for _, based, _ in seen] == [False, True, False, False, False, True]
            if flags:
                assert f'"host": "{a.removeprefix("http://")}"' in seen[4][2]
                assert f'"host": "{b.removeprefix("http://")}"' in seen[5][2]


async def test_tornado_believes_no_address_that_a_client_chose() -> None:
    """JupyterHub serves with ``xheaders``."""

    def answer(request: HTTPServerRequest) -> None:
        seen = f"{request.remote_ip} {request.protocol}".encode()
        length = HTTPHeaders({"Content-Length": str(len(seen))})
        assert request.connection is not None
        request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), length, seen)
        request.connection.finish()

    (listening,) = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(answer, xheaders=True)
    server.add_sockets([listening])
    target = f"http://127.0.0.1:{listening.getsockname()[1]}"
    claims = {
        "X_Forwarded_For": "192.0.2.1",
        "X_Real_IP": "192.0.2.1",
        "X_Forwarded_Proto": "https",
        "X_Scheme": "https",
    }

    def ask_through_labgate() -> bytes:
        with in_thread("--default-target", target) as proxy:
            return proxy.get("/", **claims).content

    try:
        assert await asyncio.to_thread(ask_through_labgate) == b"127.0.0.1 http"
    finally:
        server.stop()
        await server.close_all_connections()


def test_routes_survive_a_restart(tmp_path: Path) -> None:
    storage = ["--storage", str(tmp_path / "routes")]
    with echo_target() as target:
        with in_thread(*storage) as proxy:
            proxy.api("POST", "/user/ada", {"target": target, "user": "ada"})
            proxy.get("/user/ada")
            before = proxy.api("GET", "/user/ada").json
        with in_thread(*storage) as proxy:
            assert proxy.api("GET").json == {"/user/ada": before}
            assert proxy.get("/user/ada").status == 200


@pytest.mark.parametrize(("number", "said"), [(1, "1 route is"), (2, "2 routes are")])
def test_how_many_routes_are_from_before_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, said: str
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    storage = tmp_path / "routes"
    with in_thread("--storage", str(storage)) as proxy:
        for user in range(number):
            proxy.api("POST", f"/user/{user}", {"target": "http://127.0.0.1:9"})
    with in_thread("--storage", str(storage)):
        pass
    assert f"{said} there from before (--storage {storage})" in caplog.messages


async def test_a_takeover_that_fails_late_loses_no_change_of_the_hub(tmp_path: Path) -> None:
    """A call that comes while nobody knows yet who goes on is answered by whoever does."""
    storage = tmp_path / "routes"
    with echo_target() as target, as_process(LABGATE, "--storage", str(storage)) as proxy:
        await asyncio.to_thread(proxy.api, "POST", "/kept", {"target": target})
        successor = HubProxy(
            hub_options(parse_arguments(["hub", *proxy.flags]), {"CONFIGPROXY_AUTH_TOKEN": TOKEN})
        )
        takeover = await Takeover.begin(Path(proxy.state_folder.name), "hub")
        assert takeover is not None
        await successor.start((), takeover)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.api_port)
        body = f'{{"target": "{target}"}}'
        fields = f"Authorization: token {TOKEN}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"POST /api/routes/late HTTP/1.0\r\n{fields}\r\n{body}".encode())
        # Both serve clients, and by then the successor would have taken the call.
        assert (await asyncio.to_thread(proxy.get, "/kept")).status == 200
        successor.table.leave_journal()
        await successor.stop(asyncio.Event())
        # As the end of its process does.
        takeover._channel.close()
        takeover.sockets["admin"].close()
        assert b" 201 " in await reader.readline()
        writer.close()
        assert list((await asyncio.to_thread(proxy.api, "GET")).json) == ["/kept", "/late"]
        assert b'"/late"' in storage.read_bytes()


def test_the_api_opens_again_after_a_failed_takeover_although_no_descriptor_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with in_thread() as proxy:
        keeping: list[asyncio.Task[None]] = []
        for descriptor in proxy.call(proxy.hub.hand_over_routes):
            os.close(descriptor)
        with limited(resource.RLIMIT_NOFILE, 0):
            proxy.call(lambda: keeping.append(asyncio.ensure_future(proxy.hub.keep_routes())))
            until(lambda: keeping[0].done() or "cannot be opened again" in caplog.text, "neither")
        assert not keeping[0].done()
        assert proxy.api("GET").status == 200


def test_a_file_that_is_refused_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"not routes\nbut notes\n")
    with pytest.raises(StartError, match="--storage"), in_thread("--storage", str(path)):
        pass
    assert path.read_bytes() == b"not routes\nbut notes\n"


def test_data_that_nests_too_deep_is_refused() -> None:
    with in_thread() as proxy:
        for levels, status in [(98, 201), (99, 201), (100, 400), (700, 400), (100_000, 400)]:
            nested = "[" * levels + "]" * levels
            body = f'{{"target": "http://h:1", "x": {nested}}}'
            assert proxy.api("POST", "/x", body).status == status
        assert list(proxy.api("GET").json) == ["/x"]


def test_a_key_writes_no_control_characters_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "labgate"), in_thread() as proxy:
        proxy.api("POST", "/a%0D%1B[2Jb", {"target": "http://h:1"})
        proxy.api("DELETE", "/a%0D%1B[2Jb")
    said = [message for message in caplog.messages if message.startswith("route ")]
    key = r"'/a\r\x1b[2Jb'"
    assert said == [f"route {key} leads to 'http://h:1'", f"route {key} is removed"]


def test_everything_on_sockets(sockets: Path) -> None:
    names = {name: str(sockets / name) for name in ("proxy", "api", "metrics")}
    flags = [
        *("--socket", names["proxy"], "--api-socket", names["api"]),
        *("--metrics-socket", names["metrics"]),
    ]

    proxy = ProxyThread()
    proxy.read(flags)
    proxy.start()
    try:
        with echo_target() as target:
            lines = f"Authorization: token {TOKEN}\r\nContent-Length: {len(target) + 14}\r\n"
            body = f'{{"target": "{target}"}}'
            post = f"POST /api/routes/x HTTP/1.0\r\n{lines}\r\n{body}"
            assert b" 201 " in over_unix(names["api"], post.encode())
            assert b" 200 OK" in over_unix(names["proxy"], b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n")
            measured = over_unix(names["metrics"], b"GET /metrics HTTP/1.0\r\n\r\n")
            assert b"api_route_add 1.0" in measured
    finally:
        proxy.end()


def test_a_target_on_a_socket(sockets: Path) -> None:
    path = sockets / "target"
    with socket.socket(socket.AF_UNIX) as listening, in_thread() as proxy:
        listening.bind(str(path))
        listening.listen()
        escaped = str(path).replace("/", "%2F")
        assert proxy.api("POST", "/x", {"target": f"http+unix://{escaped}"}).status == 201
        client = RawClient(proxy.port, b"GET /x/y HTTP/1.1\r\nHost: hub\r\n\r\n")
        server, _ = listening.accept()
        assert server.recv(4096).startswith(b"GET /x/y HTTP/1.1\r\nHost: hub\r\n")
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert client.read_until(b"ok")
        server.close()
        client.close()


def test_a_response_in_progress_is_finished_and_websockets_are_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow, echo_target() as target:
        proxy = ProxyThread()
        proxy.start()
        try:
            port = slow.getsockname()[1]
            proxy.api("POST", "/slow", {"target": f"http://127.0.0.1:{port}"})
            proxy.api("POST", "/x", {"target": target})
            opened = RawWebSocket(proxy.port, "/x")
            client = RawClient(proxy.port, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            server, _ = slow.accept()
            server.recv(4096)
        finally:
            proxy.ask_to_end()
        until(lambda: not listens(proxy.port), "it still listens")
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert client.read_until(b"ok").startswith(b"HTTP/1.1 200 OK")
        # Without a close frame: JupyterLab then connects again.
        assert opened.end() == b""
        proxy.end()
        for end in (client, opened, server):
            end.close()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://hub.example.org", "hub.example.org", 200),
        ("http://evil.example", "hub.example.org", 403),
        ("http://hub.example.org", "evil.example", 421),
    ],
)
def test_a_public_origin_is_checked(origin: str, host: str, status: int) -> None:
    with echo_target() as target, in_thread("--public-origin", "http://hub.example.org") as proxy:
        proxy.api("POST", "/", {"target": target})
        reply = proxy.get("/", Host=host, Origin=origin)
        assert reply.status == status
        if status == 200:
            assert reply.json["fields"]["origin"] == origin


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = ["--metrics-ip", "127.0.0.1", "--metrics-port", str(taken.getsockname()[1])]
        with pytest.raises(StartError, match="--metrics-port"), in_thread(*flags):
            pass


@pytest.mark.parametrize("flag", ["--default-target", "--error-target"])
def test_a_target_on_the_command_line_that_is_none_is_named(flag: str) -> None:
    with pytest.raises(StartError, match=f"^{flag}"), in_thread(flag, "nothing"):
        pass


def test_there_is_no_limit_for_one_address() -> None:
    """A balancer in front has one address for all users."""
    with echo_target() as target, in_thread() as proxy:
        proxy.api("POST", "/", {"target": target})
        limits = hub_limits(proxy.options)
        assert limits.connections_per_address == limits.connections
        assert limits.requests_per_address == limits.requests == limits.connections


def test_nothing_is_leaked_by_a_churn_of_routes() -> None:
    with echo_target() as target, in_thread() as proxy:
        for number in range(100):
            proxy.api("POST", f"/user/u{number}", {"target": target})
            assert proxy.get(f"/user/u{number}/x").status == 200
            assert proxy.api("DELETE", f"/user/u{number}").status == 204
        table = proxy.hub.table
        for _ in range(2):
            proxy.call(table.forget_idle)
        assert table.by_path == {}
        assert proxy.call(lambda: len(list(table.pools))) == 0
        assert proxy.call(lambda: len(table._tree._root.following)) == 0


def test_the_public_port_answers_health_without_a_host() -> None:
    with in_thread("--error-target", f"http://127.0.0.1:{unused_port()}") as proxy:
        client = RawClient(proxy.port, b"GET /_chp_healthz HTTP/1.0\r\n\r\n")
        assert client.read_until(b"}").startswith(b"HTTP/1.1 200")
        client.close()
        assert ask(proxy.port, "HEAD", "/_chp_healthz").status == 200
        missing = proxy.get("/x", Accept="text/html", Sec_Fetch_Mode="navigate")
        assert missing.status == 404
        assert b"<html" in missing.content


def test_a_probe_of_the_pods_address_is_answered_where_the_host_is_checked() -> None:
    """And what it is answered with does not stand for other targets of its connection."""
    with in_thread("--public-origin", "https://hub.example.org") as proxy:
        probe = b"GET %s HTTP/1.1\r\nHost: 10.1.2.3:8000\r\n\r\n"
        client = RawClient(proxy.port, probe % b"/_chp_healthz")
        assert client.read_until(b"}").startswith(b"HTTP/1.1 200")
        client.connection.sendall(probe % b"/hub/home")
        assert client.read_until(b"here.\n").startswith(b"HTTP/1.1 421")
        client.close()

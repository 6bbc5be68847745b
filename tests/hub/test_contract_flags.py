"""Flags of configurable-http-proxy, asked of labgate and of it (``test_contract``)."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.programs import until
from tests.hub.on_sockets import on_sockets
from tests.hub.raw import SECONDS, RawClient, over_unix, read_until
from tests.hub.running import (
    TOKEN,
    RawWebSocket,
    as_process,
    ask,
    echo_target,
    folder_of,
    running,
    unused_port,
)


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


@pytest.mark.deployment
@pytest.mark.parametrize("usual", [[], ["--keep-alive-timeout", "0"]], ids=["default", "0"])
def test_keep_alive_timeout(command: Sequence[str], usual: list[str]) -> None:
    """Of two idle connections, the one of the shorter timeout ends; none and 0 mean 5 s."""
    request = b"HEAD /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    with (
        running(command, *usual) as patient,
        running(command, "--keep-alive-timeout", "300") as hasty,
    ):
        clients = [RawClient(proxy.port, request) for proxy in (patient, hasty)]
        idle = [client.connection for client in clients]
        for client in clients:
            client.read_until(b"\r\n\r\n")
        assert select.select(idle, [], [], SECONDS)[0] == idle[1:]
        assert idle[1].recv(1) == b""
        for client in clients:
            client.close()


@pytest.mark.deployment
def test_everything_on_sockets(command: Sequence[str], sockets: Path, target: str) -> None:
    with on_sockets(command, sockets) as names:
        body = json.dumps({"target": target}).encode()
        ours = f"Authorization: token {TOKEN}\r\nContent-Length: {len(body)}\r\n".encode()
        closing = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        added = over_unix(names["api"], b"POST /api/routes/x" + closing + ours + b"\r\n" + body)
        assert b" 201 " in added
        assert b" 200 OK" in over_unix(names["proxy"], b"GET /x" + closing + b"\r\n")
        measured = over_unix(names["metrics"], b"GET /metrics" + closing + b"\r\n")
        assert b"api_route_add 1" in measured


@pytest.mark.parametrize("scheme", ["http+unix", "unix+http"])
def test_a_target_on_a_socket(command: Sequence[str], sockets: Path, scheme: str) -> None:
    path = sockets / "target"
    seen: list[bytes] = []

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            seen.append(read_until(connection, b"\r\n\r\n"))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.socket(socket.AF_UNIX) as listening, running(command) as proxy:
        listening.bind(str(path))
        listening.listen()
        answering = threading.Thread(target=answer)
        answering.start()
        escaped = str(path).replace("/", "%2F")
        assert proxy.api("POST", "/x", {"target": f"{scheme}://{escaped}/base"}).status == 201
        reply = proxy.get("/x/y?z", Host="hub.example.org")
        answering.join()
    assert (reply.status, reply.content) == (200, b"ok")
    assert seen[0].startswith(b"GET /base/x/y?z HTTP/1.1\r\n")
    assert b"\r\nhost: hub.example.org\r\n" in seen[0].lower()


@pytest.mark.deployment
@pytest.mark.parametrize(
    ("level", "start", "request_"),
    [("debug", True, True), ("INFO", True, False), ("Error", False, False)],
)
def test_log_levels(
    command: Sequence[str],
    target: str,
    tmp_path: Path,
    level: str,
    start: bool,
    request_: bool,
) -> None:
    """In any case of letters."""
    log = tmp_path / "log"
    with as_process(command, "--log-level", level, "--default-target", target, log=log) as proxy:
        assert proxy.get("/asked/for").status == 200
        proxy.stop()
    said = log.read_text()
    assert ("Proxying" in said) is start
    assert ("/asked/for" in said) is request_


def test_the_public_port_has_no_api(command: Sequence[str], target: str) -> None:
    with running(command, "--default-target", target) as proxy:
        assert proxy.get("/api/routes", Authorization=f"token {TOKEN}").json["server"] == "target"

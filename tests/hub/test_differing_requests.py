"""Where labgate treats requests differently from configurable-http-proxy, asserted on both sides.

``differing_requests`` has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.hub.differences import expected
from tests.hub.raw import HANDSHAKE, RawClient, open_websocket, raw_target, status_of
from tests.hub.running import RunningProxy, echo_target, running

GET = b"GET /x HTTP/1.1\r\nHost: hub.example.org\r\n"
HEALTH = b"GET /_chp_healthz HTTP/1.1\r\nHost: hub.example.org\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: hub.example.org\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"

STATUSES = {
    "large head": HEALTH + b"a: " + b"x" * 20 * 1024 + b"\r\n\r\n",
    "many fields": HEALTH + b"".join(b"f%d: x\r\n" % number for number in range(200)) + b"\r\n",
    "two hosts": GET + b"Host: hub.example.org\r\n\r\n",
    "bad host": b"GET /x HTTP/1.1\r\nHost: a b/c\r\n\r\n",
    "fragment": b"GET /x#y HTTP/1.1\r\nHost: hub.example.org\r\n\r\n",
    "coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "connect": b"CONNECT hub.example.org:80 HTTP/1.1\r\nHost: hub.example.org:80\r\n\r\n",
    "unknown method": b"UNKNOWN /x HTTP/1.1\r\nHost: hub.example.org\r\n\r\n",
    "version 1.2": b"GET /x HTTP/1.2\r\nHost: hub.example.org\r\n\r\n",
    "version 2.0": b"GET /x HTTP/2.0\r\nHost: hub.example.org\r\n\r\n",
    "other upgrade": GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "broken encoding": b"GET /x%zz HTTP/1.1\r\nHost: hub.example.org\r\n\r\n",
}

ALIKE = [
    (GET + b"\r\n", 200),
    (b"GET /x HTTP/1.1\r\n\r\n", 400),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    (GET + b"a: b\r\n c\r\n\r\n", 400),
    (GET + b"a : b\r\n\r\n", 400),
    (GET + b"a: \x01\r\n\r\n", 400),
    (b"GET /x HTTP/1.1\nHost: hub.example.org\n\n", 400),
    (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: hub.example.org\r\n\r\n", 400),
    (POST + b"Content-Length: 1\r\nExpect: something\r\n\r\na", 417),
]
"""What both refuse: framing that a proxy behind might read in another way."""


@pytest.mark.parametrize("name", [name for name in STATUSES if name != "broken encoding"])
def test_the_status_of_a_request(proxy: RunningProxy, kind: str, target: str, name: str) -> None:
    proxy.api("POST", "/", {"target": target})
    assert status_of(proxy.port, STATUSES[name]) == expected(kind, name)


def test_a_broken_encoding(proxy: RunningProxy, kind: str) -> None:
    name = "broken encoding"
    assert status_of(proxy.port, STATUSES[name]) == expected(kind, name)


@pytest.mark.parametrize(("request_", "status"), ALIKE)
def test_what_both_answer_alike(
    proxy: RunningProxy, target: str, request_: bytes, status: int
) -> None:
    proxy.api("POST", "/", {"target": target})
    assert status_of(proxy.port, request_) == status


def head_at_target(proxy: RunningProxy, request: bytes) -> tuple[str, dict[str, str]]:
    """The request line that a target gets, and the fields with names in lower case."""
    with raw_target() as target:
        proxy.api("POST", "/", {"target": target.url})
        client = RawClient(proxy.port, request)
        server, head = target.accept()
        server.sendall(NO_CONTENT)
        client.read_until(b"\r\n\r\n")
        client.close()
        server.close()
    line, *fields = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    named = {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)}
    named["target"] = target.url.removeprefix("http://")
    return line, named


def test_the_host_of_a_request_without_one(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, b"GET /x HTTP/1.0\r\n\r\n")
    means = {seen["target"]: "the target's", "": "an empty one"}
    assert means[seen["host"].strip()] == expected(kind, "no host")


def test_the_host_of_a_request_in_absolute_form(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, GET.replace(b"/x", b"http://other/x") + b"\r\n")
    assert seen["host"] == expected(kind, "absolute form")


def test_the_server_as_a_whole(proxy: RunningProxy, kind: str) -> None:
    line, _ = head_at_target(proxy, GET.replace(b"GET /x", b"OPTIONS *") + b"\r\n")
    assert line == expected(kind, "asterisk")


def test_quotes_in_a_target(proxy: RunningProxy, kind: str) -> None:
    line, _ = head_at_target(proxy, GET.replace(b"/x", b'/x?a="b"') + b"\r\n")
    assert line.split()[1] == expected(kind, "quotes")


@pytest.fixture
def routed(proxy: RunningProxy) -> Iterator[Callable[[str], tuple[str, str]]]:
    """The route of a request target, and the target that its server gets."""
    with ExitStack() as stack:
        for path in ("/", "/user/ada", "/user/bob"):
            proxy.api("POST", path, {"target": stack.enter_context(echo_target(path))})

        def ask(target: str) -> tuple[str, str]:
            seen = proxy.get(target).json
            return seen["server"], seen["target"]

        yield ask


def test_dot_segments_in_a_target(routed: Callable[[str], tuple[str, str]], kind: str) -> None:
    assert routed("/user/ada/../bob/x") == expected(kind, "dot segments")


def test_what_else_may_be_a_segment(routed: Callable[[str], tuple[str, str]], kind: str) -> None:
    assert routed("//user/ada/x")[0] == expected(kind, "two slashes")
    assert routed("/user\\ada/x")[0] == expected(kind, "backslash")


def test_fields_of_one_connection(proxy: RunningProxy, kind: str) -> None:
    ours = b"Connection: x-a\r\nX-A: named\r\nProxy-Authorization: secret\r\n\r\n"
    _, seen = head_at_target(proxy, GET + ours)
    fields = (seen.get("x-a"), seen.get("proxy-authorization"))
    assert fields == expected(kind, "connection fields")


def test_a_field_with_underscores(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, GET + b"X_Forwarded_For: 192.0.2.1\r\n\r\n")
    assert seen.get("x_forwarded_for") == expected(kind, "underscores")


def test_fields_that_one_of_them_adds(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, GET + b"\r\n")
    assert seen.get("via") == expected(kind, "via")
    assert ("x-request-id" in seen) is expected(kind, "request id")


def test_what_a_client_says_of_itself(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, GET + b"X-Real-IP: 192.0.2.1\r\nX-Scheme: https\r\n\r\n")
    claims = (seen.get("x-real-ip"), seen.get("x-scheme"))
    assert claims == expected(kind, "real ip and scheme")


def test_what_a_target_hears_of_a_websocket(proxy: RunningProxy, kind: str) -> None:
    _, seen = head_at_target(proxy, HANDSHAKE % b"/x")
    assert seen["x-forwarded-proto"] == expected(kind, "websocket proto")
    assert seen.get("x-forwarded-host") == expected(kind, "websocket host")


def test_an_encoded_prefix_is_cut(command: Sequence[str], kind: str, target: str) -> None:
    with running(command, "--no-include-prefix") as proxy:
        proxy.api("POST", "/a%20b", {"target": target})
        seen = proxy.get("/a%20b/x").json["target"]
        assert seen == expected(kind, "stripped encoded prefix")


def test_a_redirect_to_a_host_without_a_port(
    command: Sequence[str], kind: str, target: str
) -> None:
    with running(command, "--auto-rewrite") as proxy:
        proxy.api("POST", "/", {"target": target})
        moved = proxy.get("/?status=302", Host="hub.example.org").fields["location"]
    port = target.rpartition(":")[2]
    assert moved.replace(port, "PORT") == expected(kind, "redirect without a port")


def test_what_a_target_sends_over_a_websocket(proxy: RunningProxy, kind: str) -> None:
    with raw_target() as target:
        proxy.api("POST", "/x", {"target": target.url})
        with open_websocket(proxy.port, target) as (client, server):
            before = proxy.past_activity("/x")
            server.sendall(b"data")
            client.read_until(b"data")
            moved = proxy.activity("/x") > before
        assert moved is expected(kind, "activity of the target")


def test_the_content_of_a_request_that_fails(proxy: RunningProxy, kind: str, target: str) -> None:
    proxy.api("POST", "/x", {"target": target})
    before = proxy.past_activity("/x")
    assert proxy.get("/x?status=404", "POST", "content").status == 404
    moved = proxy.activity("/x") > before
    assert moved is expected(kind, "activity of content")

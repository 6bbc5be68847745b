"""Jupyter's WebSockets through labgate, with a client library that is nobody's relative."""

from __future__ import annotations

import json
import signal
import struct
import uuid
from collections.abc import Iterator
from http.cookies import SimpleCookie
from itertools import pairwise
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.e2e.programs import (
    TOKEN,
    Jupyter,
    Labgate,
    forget_peak_memory,
    peak_memory,
    resident_memory,
    until,
)

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

V1 = Subprotocol("v1.kernel.websocket.jupyter.org")
BIG = 30_000_000
MEBIBYTE = 2**20
WITH_TOKEN = {"Authorization": f"token {TOKEN}"}


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    # Jupyter itself drops what a kernel prints faster than 1 MB/s.
    rate = "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1000000000"
    with Jupyter(tmp_path_factory.mktemp("websocket"), rate) as running:
        yield running


@pytest.fixture(scope="module")
def labgate(jupyter: Jupyter) -> Iterator[Labgate]:
    with Labgate(jupyter.folder, "serve", "--upstream", jupyter.upstream) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(labgate: Labgate) -> str:
    """The path of a running kernel's socket."""
    answer = labgate.ask("POST", "/api/kernels", **WITH_TOKEN)
    assert answer.status == 201, answer.body
    return f"/api/kernels/{answer.json()['id']}/channels?session_id={uuid.uuid4().hex}"


def login_cookie(labgate: Labgate) -> str:
    """What a browser has after the address with the token was opened."""
    answer = labgate.ask("GET", f"/lab?token={TOKEN}")
    cookies = SimpleCookie()
    for value in answer.fields.get_all("Set-Cookie", []):
        cookies.load(value)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())


def dial(labgate: Labgate, target: str, cookie: str = "", **fields: str) -> ClientConnection:
    """As Lab's page does: its origin, its cookie, its subprotocol."""
    if cookie:
        fields["Cookie"] = cookie
    return connect(
        f"wss://localhost:{labgate.https_port}{target}",
        ssl=labgate.trusting_threads,
        origin=Origin(labgate.origin),
        subprotocols=[V1],
        additional_headers=fields,
        max_size=None,
        compression=None,
    )


def packed(code: str) -> bytes:
    """An execute_request on the shell channel (jupyter_server: websocket protocol v1)."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "date": "2026-01-01T00:00:00Z",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def unpacked(message: bytes) -> tuple[str, dict[str, Any]]:
    """A message's type and content."""
    count = int.from_bytes(message[:8], "little")
    offsets = [int.from_bytes(message[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    parts = [message[start:end] for start, end in pairwise(offsets)]
    return json.loads(parts[1])["msg_type"], json.loads(parts[4])


def receive(socket: ClientConnection, wanted: str) -> tuple[dict[str, Any], int, int]:
    """The next message of a type: its content, its size, and in how many frames it came."""
    while True:
        frames = list(socket.recv_streaming(decode=False))
        message = b"".join(frame for frame in frames if isinstance(frame, bytes))
        kind, content = unpacked(message)
        if kind == wanted:
            return content, len(message), len(frames)


def test_a_kernel_computes_over_the_subprotocol(labgate: Labgate, kernel: str) -> None:
    with dial(labgate, kernel, login_cookie(labgate)) as socket:
        assert socket.subprotocol == V1
        assert socket.response is not None
        assert socket.response.headers.get_all("Sec-WebSocket-Protocol") == [V1]
        socket.send(packed("6 * 7"))
        content, _, _ = receive(socket, "execute_result")
        assert content["data"]["text/plain"] == "42"


def test_thirty_megabytes_arrive_in_one_piece(labgate: Labgate, kernel: str) -> None:
    with dial(labgate, kernel, **WITH_TOKEN) as socket:
        forget_peak_memory(labgate.pid)
        before = resident_memory(labgate.pid)
        socket.send(packed(f"'x' * {BIG}"))
        content, size, frames = receive(socket, "execute_result")
        assert content["data"]["text/plain"] == repr("x" * BIG)
        assert (size > BIG, frames) == (True, 1)
        grown = peak_memory(labgate.pid) - before
        print(f"labgate's peak grew by {grown / MEBIBYTE:.1f} MiB for a message of {size:,} bytes")
        assert grown < 16 * MEBIBYTE


def test_nine_megabytes_go_up(labgate: Labgate, kernel: str) -> None:
    """Tornado takes 10 MiB; labgate sets no limit of its own."""
    with dial(labgate, kernel, **WITH_TOKEN) as socket:
        socket.send(packed(f"len('{'x' * 9_000_000}')"))
        content, _, _ = receive(socket, "execute_result")
        assert content["data"]["text/plain"] == "9000000"


def refusal(handshake: Any) -> Response:
    with pytest.raises(InvalidStatus) as refused:
        handshake()
    return refused.value.response


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/kernels/00000000-0000-4000-8000-000000000000/channels", 403),
        ("/api/events/subscribe?token=somebody-elses", 403),
        ("/terminals/websocket/9?token=somebody-elses", 403),
        (f"/terminals/websocket/9?token={TOKEN}", 404),
    ],
    ids=["no login", "a foreign token", "a foreign token at a terminal", "no such terminal"],
)
def test_jupyters_refusal_is_relayed_as_it_is(
    labgate: Labgate, jupyter: Jupyter, target: str, status: int
) -> None:
    through = refusal(lambda: dial(labgate, target))
    direct = refusal(lambda: connect(f"ws://127.0.0.1:{jupyter.port}{target}"))
    assert (through.status_code, through.body) == (status, direct.body)
    assert direct.status_code == status
    assert through.headers["Server"] == direct.headers["Server"], "Jupyter's own, not labgate's"


@pytest.mark.parametrize(
    "origin", ["https://localhost:1", "https://evil.example", "http://localhost", "null", None]
)
def test_a_foreign_origin_never_reaches_jupyter(
    labgate: Labgate, kernel: str, origin: str | None
) -> None:
    cookie = login_cookie(labgate)
    response = refusal(
        lambda: connect(
            f"wss://localhost:{labgate.https_port}{kernel}",
            ssl=labgate.trusting_threads,
            origin=Origin(origin) if origin else None,
            additional_headers={"Cookie": cookie},
        )
    )
    assert response.status_code == 403
    assert "Server" not in response.headers


def test_a_stopping_labgate_cuts_without_a_close_frame(jupyter: Jupyter, kernel: str) -> None:
    """Lab reconnects after 1006, and never after 1000 or 1001."""
    with Labgate(jupyter.folder, "serve", "--upstream", jupyter.upstream) as labgate:
        with dial(labgate, kernel, **WITH_TOKEN) as socket:
            socket.send(packed("6 * 7"))
            receive(socket, "execute_result")
            labgate.running.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosedError) as closed:
                list(socket)
            assert closed.value.rcvd is None
            assert socket.close_code == 1006
        assert labgate.running.wait(10) == 0
        assert "Traceback" not in labgate.log


def test_a_dying_jupyter_is_no_polite_goodbye(tmp_path: Path) -> None:
    with (
        Jupyter(tmp_path) as jupyter,
        Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate,
        dial(labgate, "/api/events/subscribe", **WITH_TOKEN) as socket,
    ):
        jupyter.running.kill()
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(10)
        assert closed.value.rcvd is None
        assert labgate.ask("GET", "/api").status == 503


@pytest.mark.parametrize("how", ["a close frame", "a cut", "a reset"])
def test_the_access_log_tells_what_a_socket_was_answered(
    labgate: Labgate, kernel: str, how: str
) -> None:
    """However it ended; most end because a page is left or a laptop closed."""
    mark = f"mark={uuid.uuid4().hex}"
    with dial(labgate, f"{kernel}&{mark}", **WITH_TOKEN) as socket:
        if how == "a reset":
            socket.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        if how != "a close frame":
            socket.close_socket()
    lines = until(lambda: [line for line in labgate.log.splitlines() if mark in line], "no line")
    assert f'{mark}" 101 ' in lines[0]


def test_show_headers_names_rules_and_no_secret(jupyter: Jupyter, kernel: str) -> None:
    arguments = ("--upstream", jupyter.upstream, "--show-headers", "--access-log")
    with Labgate(jupyter.folder, "serve", *arguments) as labgate:
        cookie = login_cookie(labgate)
        page = {"Origin": labgate.origin, "Referer": f"{labgate.origin}/lab?token={TOKEN}"}
        assert labgate.ask("GET", "/api/status", Cookie=cookie, **page).status == 200
        assert labgate.ask("GET", "/api/status", **WITH_TOKEN, **page).status == 200
        assert labgate.ask("GET", f"/api/status?a=b&token={TOKEN}").status == 200
        refused = {"Origin": "https://evil.example", "X-Forwarded-For": "6.6.6.6"}
        assert labgate.ask("GET", f"/api?token={TOKEN}", **refused).status == 403
        with dial(labgate, f"{kernel}&token={TOKEN}", cookie):
            pass
        with dial(labgate, kernel, cookie):
            pass
        labgate.stop()
    shown = labgate.stdout.read_text()
    for rule in ("host", "origin", "referer", "hop-by-hop", "forwarded", "via", "set-cookie"):
        assert f" {rule} " in shown
    assert f"~ Host: localhost:{labgate.https_port} => 127.0.0.1:{jupyter.port}" in shown
    assert "[redacted]" in shown
    values = [pair.partition("=")[2] for pair in cookie.split("; ")]
    for secret in (TOKEN, *values):
        assert secret not in shown
        assert secret not in labgate.log


def test_a_token_inside_another_address_is_a_secret_too(jupyter: Jupyter) -> None:
    """What Jupyter makes of an address whose token it does not know: another server's."""
    foreign = "the-token-of-another-server"
    arguments = ("--upstream", jupyter.upstream, "--show-headers", "--access-log")
    with Labgate(jupyter.folder, "serve", *arguments) as labgate:
        moved = labgate.ask("GET", f"/lab?token={foreign}")
        assert moved.fields["Location"] == f"/login?next=%2Flab%3Ftoken%3D{foreign}"
        login = moved.fields["Location"]
        assert labgate.ask("GET", login, Referer=labgate.origin + login).status == 200
        labgate.stop()
    assert foreign not in labgate.stdout.read_text()
    assert foreign not in labgate.log

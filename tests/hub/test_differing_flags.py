"""Where the program and its API differ from configurable-http-proxy, asserted on both sides.

``differing_flags`` has the reasons; what is about TLS is in ``test_contract_tls``.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from proxy import __version__
from tests.e2e.programs import until
from tests.hub.differences import expected
from tests.hub.on_sockets import accepts, on_sockets
from tests.hub.raw import over_unix, status_of
from tests.hub.running import (
    ProxyProcess,
    RunningProxy,
    as_process,
    ask,
    running,
    unused_port,
)


def ran(command: Sequence[str], *flags: str) -> subprocess.CompletedProcess[str]:
    """The program with flags that end it at once."""
    return subprocess.run(
        [*command, *flags], capture_output=True, text=True, check=False, timeout=60
    )


def starts(command: Sequence[str], folder: Path, *flags: str) -> bool:
    """Whether it serves with these flags."""
    try:
        with as_process(command, *flags, log=folder / "log"):
            return True
    except AssertionError:
        return False


@pytest.mark.deployment
def test_the_version(command: Sequence[str], kind: str) -> None:
    for flag in ("--version", "-V"):
        said = ran(command, flag)
        assert said.returncode == 0
        shown = said.stdout.strip().replace(__version__, "VERSION")
        assert shown == expected(kind, "version")


@pytest.mark.deployment
def test_an_unknown_flag(command: Sequence[str], kind: str) -> None:
    said = ran(command, "--no-such-flag")
    assert said.returncode == expected(kind, "wrong command line")
    assert "--no-such-flag" in said.stderr


@pytest.mark.deployment
def test_flags_of_labgates_own(command: Sequence[str], kind: str, tmp_path: Path) -> None:
    flags = [
        ["--storage", str(tmp_path / "routes")],
        ["--workers", "1"],
        ["--public-origin", "http://hub.example.org"],
        ["--log-format", "json"],
        ["--take-over"],
    ]
    known = expected(kind, "own flags")
    together = [[word for one in flags for word in one]] if known else flags
    assert {starts(command, tmp_path, *one) for one in together} == {known}


@pytest.mark.deployment
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(command: Sequence[str], kind: str, number: int) -> None:
    with as_process(command) as proxy:
        assert proxy.stop(number) == expected(kind, "signals")


@pytest.mark.deployment
def test_a_socket_and_a_port(command: Sequence[str], kind: str, sockets: Path) -> None:
    path = sockets / "api"
    process = ProxyProcess(command, "--api-socket", str(path), log=sockets / "log")
    with (
        process.state_folder,
        subprocess.Popen(
            process.command, env=process.environment, stdout=subprocess.DEVNULL
        ) as started,
    ):
        try:
            until(lambda: started.poll() is not None or accepts(path), "neither")
            seen = "the socket is used" if started.poll() is None else started.returncode
        finally:
            started.kill()
    assert seen == expected(kind, "socket and port")


@pytest.mark.deployment
def test_a_socket_that_a_process_before_has_left(
    command: Sequence[str], kind: str, sockets: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(sockets / "proxy"))
    with on_sockets(command, sockets) as names:
        answers = accepts(Path(names["proxy"]))
    assert answers is expected(kind, "stale socket")


@pytest.mark.deployment
def test_a_client_at_a_socket(
    command: Sequence[str], kind: str, sockets: Path, target: str
) -> None:
    with on_sockets(command, sockets, "--default-target", target) as names:
        request = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        seen = over_unix(names["proxy"], request).decode()
    assert f'"x-forwarded-for": "{expected(kind, "unix client")}"' in seen


def test_timeout(command: Sequence[str], kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running(command, "--timeout", "300") as proxy:
            proxy.api("POST", "/x", {"target": f"http://127.0.0.1:{port}"})
            seen = status_of(proxy.port, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert seen == expected(kind, "timeout")


@pytest.mark.deployment
def test_a_module_that_is_not_there(command: Sequence[str], kind: str, tmp_path: Path) -> None:
    started = starts(command, tmp_path, "--storage-backend", "no-such-module")
    assert started is expected(kind, "storage backend")


def test_without_a_token(command: Sequence[str], kind: str) -> None:
    with running(command, token="") as proxy:
        assert proxy.api("GET", token=None).status == expected(kind, "no token")


def test_broken_json_without_a_token(proxy: RunningProxy, kind: str) -> None:
    status = proxy.api("POST", "/x", "{", token=None).status
    assert status == expected(kind, "json before token")


def test_a_target_that_is_none(proxy: RunningProxy, kind: str) -> None:
    status = proxy.api("POST", "/x", {"target": "no url"}).status
    assert status == expected(kind, "bad target")


def test_data_that_nests_deep(proxy: RunningProxy, kind: str, target: str) -> None:
    body = f'{{"target": "{target}", "x": {"[" * 200 + "]" * 200}}}'
    assert proxy.api("POST", "/x", body).status == expected(kind, "nested json")


def test_dates_in_words(proxy: RunningProxy, kind: str) -> None:
    status = proxy.api("GET", "?inactiveSince=Nov%2026%202030").status
    assert status == expected(kind, "dates")


def test_what_is_measured(command: Sequence[str], kind: str, target: str) -> None:
    port = unused_port()
    with running(command, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port)) as proxy:
        proxy.api("POST", "/x", {"target": target})
        proxy.get("/x")
        proxy.api("DELETE", "/unknown")
        text = ask(port, "GET", "/metrics").content.decode()
    assert ("\nlast_activity_updating" in text) is expected(kind, "activity metric")
    assert ("find_target_for_req{quantile=" in text) is expected(kind, "quantiles")
    assert ("\nnodejs_" in text) is expected(kind, "node's metrics")
    (deleted,) = [line for line in text.splitlines() if line.startswith("api_route_delete ")]
    assert float(deleted.split()[1]) == expected(kind, "unknown route")


@pytest.mark.deployment
def test_calls_of_the_api_in_the_log(
    command: Sequence[str], kind: str, target: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with as_process(command, log=log) as proxy:
        proxy.api("POST", "/user/ada", {"target": target})
        proxy.api("GET")
        proxy.stop()
    said = log.read_text()
    assert "/user/ada" in said
    assert ("GET /api/routes" in said) is expected(kind, "calls in the log")

"""What arrives at a service manager's socket."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.runtime.sd_notify import reloading, sd_notify


@contextmanager
def service_manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        yield manager


@pytest.fixture
def manager(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(sockets / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with service_manager(path) as manager:
        yield manager


def test_assignments_of_one_state_arrive_together(manager: socket.socket) -> None:
    assert sd_notify("READY=1", "STATUS=serving")
    assert manager.recv(1000) == b"READY=1\nSTATUS=serving"


def test_a_value_adds_no_assignment(manager: socket.socket) -> None:
    sd_notify("STATUS=refused: a line\nMAINPID=1")
    assert manager.recv(1000) == b"STATUS=refused: a line MAINPID=1"


def test_a_reload_has_its_time(manager: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reloading()
    first, second = manager.recv(1000).decode("ascii").split("\n")
    assert first == "RELOADING=1"
    name, _, number = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(number) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has abstract sockets")
def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"labgate-test-{secrets.token_hex(8)}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with service_manager(f"\0{name}") as manager:
        assert sd_notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_without_a_service_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not sd_notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", os.fspath(tmp_path / "nobody"))
    assert not sd_notify("READY=1")


def test_a_manager_that_does_not_read_delays_nothing(manager: socket.socket) -> None:
    assert not all(sd_notify("WATCHDOG=1") for _ in range(10_000))

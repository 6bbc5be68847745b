from __future__ import annotations

import os
import socket
from collections.abc import Collection
from pathlib import Path

import pytest

from proxy.check.ports import check_ports
from proxy.check.verdict import Level, Verdict
from proxy.config.settings import Settings
from tests.e2e.programs import free_port


def checked(port: int, own: Collection[str] = ()) -> list[Verdict]:
    listen = {"bind": ["127.0.0.1"], "https_port": port, "http_port": 0}
    return list(check_ports(Settings.model_validate({"listen": listen}), own))


def test_a_free_port_stays_free() -> None:
    port = free_port()
    for _ in range(2):
        assert checked(port) == [Verdict("Port", f"127.0.0.1:{port} is free.")]


def test_a_port_of_another_program() -> None:
    with socket.socket() as other:
        # It does not listen, so asking whether it is a labgate ends at once.
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        (verdict,) = checked(port)
        assert verdict.level is Level.FAULT
        assert f"127.0.0.1:{port} is taken" in verdict.text


def test_a_port_of_the_running_labgate_is_no_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as running:
        shown = f"127.0.0.1:{running.getsockname()[1]}"
        (verdict,) = checked(running.getsockname()[1], [shown])
        assert verdict == Verdict("Port", f"{shown} is in use by the running labgate.")


def test_a_port_that_systemd_holds_is_not_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection would start the service."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        held.setblocking(False)
        port = held.getsockname()[1]
        program = tmp_path / "systemctl"
        listen = f"Listen=127.0.0.1:{port} (Stream)"
        program.write_text(f"#!/bin/sh\necho ActiveState=active\necho '{listen}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        (verdict,) = checked(port)
        assert verdict == Verdict(
            "Port", f"127.0.0.1:{port} is held by labgate.socket, for the service."
        )
        with pytest.raises(BlockingIOError):
            held.accept()
        other = free_port()
        free, verdict = checked(other)
        assert (free.level, verdict.level) == (Level.GOOD, Level.REMARK)
        assert f"holds {port}, and this configuration names {other}:" in verdict.text
        assert "`labgate install-service` writes the socket unit anew" in verdict.text


def test_every_port_is_looked_at() -> None:
    metrics, inspector = free_port(), free_port()
    values = {
        "listen": {"metrics": f"127.0.0.1:{metrics}", "bind": ["127.0.0.1"]},
        "inspector": {"address": f"127.0.0.1:{inspector}"},
    }
    texts = " ".join(verdict.text for verdict in check_ports(Settings.model_validate(values)))
    for port in (8443, 8080, metrics, inspector):
        assert f"127.0.0.1:{port}" in texts

from __future__ import annotations

import socket
from collections.abc import Collection

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


def test_every_port_is_looked_at() -> None:
    metrics, inspector = free_port(), free_port()
    values = {
        "listen": {"metrics": f"127.0.0.1:{metrics}", "bind": ["127.0.0.1"]},
        "inspector": {"address": f"127.0.0.1:{inspector}"},
    }
    texts = " ".join(verdict.text for verdict in check_ports(Settings.model_validate(values)))
    for port in (8443, 8080, metrics, inspector):
        assert f"127.0.0.1:{port}" in texts

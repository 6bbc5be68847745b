"""What a hub's proxy writes at each level, and its lines for programs."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proxy.runtime.log_format import LineFormatter, LogFormat
from tests.hub.running import LABGATE, as_process, echo_target, in_thread


def test_changes_of_routes_are_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "labgate")
    with in_thread() as proxy:
        proxy.api("POST", "/user/ada%20l", {"target": "http://10.0.0.7:8888", "user": "ada"})
        proxy.api("POST", "/user/bob", {"target": "no url"})
        proxy.api("DELETE", "/user/ada%20l")
        proxy.api("DELETE", "/user/ada%20l")
    formatter = LineFormatter(LogFormat("json"))
    lines = [json.loads(formatter.format(record)) for record in caplog.records]
    where = {"route": "/user/ada l", "upstream": "http://10.0.0.7:8888"}
    added, removed = [line for line in lines if "change" in line]
    assert added.items() >= {"change": "added", **where}.items()
    assert removed.items() >= {"change": "removed", **where}.items()
    assert added["message"] == "route '/user/ada l' leads to 'http://10.0.0.7:8888'"


def lines_at(level: str, folder: Path) -> list[dict[str, Any]]:
    """What it writes while a route is added, used and removed, and while a target is away."""
    log = folder / "log"
    flags = ("--log-format", "json", "--log-level", level)
    with echo_target() as target, as_process(LABGATE, *flags, log=log) as proxy:
        assert proxy.api("POST", "/user/ada", {"target": target}).status == 201
        assert proxy.get("/user/ada/x?token=s3cret").status == 200
        assert proxy.api("DELETE", "/user/ada").status == 204
        proxy.api("POST", "/user/bob", {"target": "http://127.0.0.1:1"})
        assert proxy.get("/user/bob/x").status == 503
        assert proxy.stop() == 0
    return [json.loads(line) for line in log.read_text().splitlines()]


def changes(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["change"], line["route"]) for line in lines if "change" in line]


CHANGES = [("added", "/user/ada"), ("removed", "/user/ada"), ("added", "/user/bob")]


@pytest.mark.deployment
def test_every_line_is_json_and_debug_has_the_requests(tmp_path: Path) -> None:
    lines = lines_at("debug", tmp_path)
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert changes(lines) == CHANGES
    [request] = [line for line in lines if line.get("target", "").startswith("/user/ada/")]
    assert request["target"] == "/user/ada/x?token=[redacted]"
    assert (request["status"], request["outcome"]) == (200, "forwarded")
    calls = [(line["method"], line["path"]) for line in lines if "path" in line]
    assert ("POST", "/api/routes/user/ada") in calls
    assert "s3cret" not in json.dumps(lines)


@pytest.mark.deployment
def test_info_has_what_changes_and_what_fails_and_no_request(tmp_path: Path) -> None:
    lines = lines_at("info", tmp_path)
    assert changes(lines) == CHANGES
    assert any("127.0.0.1:1" in line["message"] and line["level"] == "warning" for line in lines)
    assert [line for line in lines if "target" in line or "path" in line] == []
    assert {line["level"] for line in lines} == {"info", "warning"}


@pytest.mark.deployment
def test_error_has_nothing_of_all_that(tmp_path: Path) -> None:
    assert lines_at("error", tmp_path) == []

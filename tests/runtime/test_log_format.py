"""The two forms of a log line."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from rich.console import Console

from proxy.runtime.log_format import Facts, LineFormatter, LogFormat, facts
from proxy.runtime.logs import LogLines

NOON = 1_795_608_000.25


def test_text_has_the_local_time_and_no_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    try:
        line = LogFormat().line(NOON, "INFO", "hello", {"client": "::1"})
        assert line == "2026-11-25 13:00:00,250 INFO hello\n"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_json_has_the_time_of_utc_and_the_facts() -> None:
    line = LogFormat("json").line(NOON, "WARNING", 'say "x"\n', {"status": 403})
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "time": "2026-11-25T12:00:00.250Z",
        "level": "warning",
        "message": 'say "x"\n',
        "status": 403,
    }


def entry(
    log_format: LogFormat,
    message: str,
    *,
    fails: bool = False,
    extra: Mapping[str, Facts] = MappingProxyType({}),
) -> str:
    failure = None
    if fails:
        try:
            raise ValueError("broken")
        except ValueError:
            failure = sys.exc_info()
    record = logging.makeLogRecord(
        {"msg": message, "levelname": "ERROR", "created": NOON, "exc_info": failure, **extra}
    )
    return LineFormatter(log_format).format(record)


def test_an_event_has_the_facts_of_its_call() -> None:
    line = entry(LogFormat("json"), "refused", extra=facts(client="::1", request_id="5f-1"))
    known = json.loads(line)
    assert (known["client"], known["request_id"]) == ("::1", "5f-1")


def test_a_trace_is_a_fact_of_one_line() -> None:
    line = entry(LogFormat("json"), "fault", fails=True)
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: broken")
    text = entry(LogFormat(), "fault", fails=True).splitlines()
    assert text[0].endswith(" ERROR fault")
    assert text[-1] == "ValueError: broken"


FORGED = "GET /x\n2026-11-25 12:00:00,000 WARNING refused 403\r\x1b[2J\u202e\udc80é"


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_peer_sent_stays_in_its_line(*, fails: bool) -> None:
    first, *trace = entry(LogFormat(), FORGED, fails=fails).split("\n")
    assert first.endswith(
        r" ERROR GET /x\n2026-11-25 12:00:00,000 WARNING refused 403\r\x1b[2J\u202e\udc80é"
    )
    assert bool(trace) == fails
    line = entry(LogFormat("json"), FORGED, fails=fails)
    assert "\n" not in line
    assert json.loads(line)["message"] == FORGED


def test_a_trace_steers_no_terminal() -> None:
    line = LogFormat().line(NOON, "ERROR", "fault", trace="Traceback:\n\tValueError: \x1b[2J")
    assert line.endswith(" ERROR fault\nTraceback:\n\\tValueError: \\x1b[2J\n")


def test_a_later_call_changes_level_and_form() -> None:
    code = """
import logging
from proxy.runtime.logs import log_to_stderr
log = logging.getLogger("labgate.x")
log_to_stderr("warning")
log.info("none")
log_to_stderr("info", "json")
log.info("one")
logging.getLogger("aiohttp").info("no other's")
log_to_stderr("info", "text")
log.info("two")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert json.loads(first)["message"] == "one"
    assert second.endswith(" INFO two")


def test_progress_that_no_terminal_shows_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "labgate")
    Console(file=LogLines()).print("Pulling x …\n\nhalf")
    assert caplog.messages == ["Pulling x …", "half"]

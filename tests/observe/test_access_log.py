"""The access log: what a line says, and when it is written."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from dataclasses import replace

import pytest

from proxy.observe.access_line import facts_of, format_line
from proxy.observe.access_log import MAX_WAITING_LINES, AccessLog
from proxy.observe.record import Record
from proxy.rules.head import HTTP_2
from proxy.runtime.log_format import LogFormat
from tests.heads import HOST, get
from tests.retained_memory import keeps_no_long_values


class Stream(io.StringIO):
    """Tells when it was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = asyncio.Event()

    def flush(self) -> None:
        self.flushed.set()


def record(target: bytes = b"/lab") -> Record:
    """A finished request."""
    head = get(HOST, target=target)
    return Record(head, 200, "forwarded", bytes_up=1, bytes_down=2, seconds=0.0126)


def test_a_line_has_client_request_and_outcome() -> None:
    line = '203.0.113.7 "GET /lab" 200 1 2 0.013 forwarded [-] ""'
    assert format_line(record()) == line


def named() -> Record:
    """A request with a name and a client that says what it is, and tries to say more."""
    finished = record()
    finished.request_id = b"5f-1"
    finished.head = get(HOST, b'User-Agent: curl/8 "\\" \x1b?token=s3cret', target=b"/lab")
    return finished


def test_the_line_ends_with_request_id_and_user_agent() -> None:
    ends = ' forwarded [5f-1] "curl/8 \\"\\\\\\" \\\\x1b?token=[redacted]"'
    assert format_line(named()).endswith(ends)


def test_the_facts_are_those_of_the_line() -> None:
    message, known = facts_of(named())
    assert message == "GET /lab 200"
    assert known == {
        "client": "203.0.113.7",
        "method": "GET",
        "target": "/lab",
        "status": 200,
        "bytes_up": 1,
        "bytes_down": 2,
        "seconds": 0.0126,
        "outcome": "forwarded",
        "request_id": "5f-1",
        "user_agent": 'curl/8 "\\" \\x1b?token=[redacted]',
    }


async def test_a_log_in_json_has_an_object_in_each_line() -> None:
    stream = io.StringIO()
    form = LogFormat("json")
    log = AccessLog(stream, log_format=form)
    refused = named()
    refused.warning, refused.detail = True, "Origin 'x'"
    log(refused)
    form.name = "text"  # as a reload does
    log(named())
    log.flush()
    first, second = stream.getvalue().splitlines()
    entry = json.loads(first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert list(entry)[:3] == ["level", "message", "client"]
    assert (entry["level"], entry["detail"]) == ("warning", "Origin 'x'")
    assert " INFO 203.0.113.7 " in second


PROBES = [
    (b"/.labgate/health", False, False),
    (b"/.labgate/ready?x", False, False),
    (b"/.labgate/ready", True, True),
    (b"/.labgate/logout", False, True),
    (b"/lab", False, True),
]


@pytest.mark.parametrize(("target", "refused", "logged"), PROBES)
async def test_probes_have_no_line_unless_asked_for(
    target: bytes, refused: bool, logged: bool
) -> None:
    for health in (False, True):
        stream = io.StringIO()
        log = AccessLog(stream, health=health)
        probed = record(target)
        probed.warning = refused
        log(probed)
        log.flush()
        assert bool(stream.getvalue()) == (logged or health)


def test_a_line_holds_no_secret_and_no_control_octet() -> None:
    line = format_line(record(b"/lab?token=s3cret\x1b\n"))
    assert "s3cret" not in line
    assert line.isprintable()


async def test_the_lines_of_a_moment_are_written_at_once() -> None:
    stream = Stream()
    log = AccessLog(stream)
    for _ in range(3):
        log(record())
    assert stream.getvalue() == ""
    await asyncio.wait_for(stream.flushed.wait(), 10)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO "
    assert all(re.match(stamp + re.escape("203.0.113.7"), one) for one in lines)


async def test_a_crowd_of_lines_does_not_wait() -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    for _ in range(MAX_WAITING_LINES + 1):
        log(record())
    assert len(stream.getvalue().splitlines()) == MAX_WAITING_LINES
    log.flush()
    log.flush()
    assert len(stream.getvalue().splitlines()) == MAX_WAITING_LINES + 1


def test_a_refusal_is_a_warning_with_the_reason() -> None:
    refused = record()
    refused.outcome, refused.detail, refused.warning = "refused (origin)", "Origin 'x'", True
    assert " 0.013 refused (origin): Origin 'x' [" in format_line(refused)


async def test_lines_that_wait_are_written_before_a_later_warning() -> None:
    stream = io.StringIO()
    access_log, logger = AccessLog(stream), logging.getLogger("labgate.test_order")
    written = logging.StreamHandler(stream)
    logging.getLogger().addHandler(written)
    access_log.attach(logger)
    try:
        access_log(record(b"/first"))
        logger.warning("second")
        access_log(record(b"/third"))
    finally:
        access_log.detach(logger)
        logging.getLogger().removeHandler(written)
    access_log.flush()
    found = re.findall("first|second|third", stream.getvalue())
    assert found == ["first", "second", "third"]


def test_http_2_is_named() -> None:
    finished = record()
    finished.head = replace(finished.head, version=HTTP_2)
    assert '"GET /lab HTTP/2" 200' in format_line(finished)
    assert facts_of(finished)[1]["protocol"] == "HTTP/2"


def test_long_names_of_clients_are_not_kept() -> None:
    def line(agent: bytes) -> str:
        finished = record()
        finished.head = get(HOST, b"User-Agent: " + agent)
        return format_line(finished)

    assert keeps_no_long_values(line)

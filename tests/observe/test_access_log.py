"""The access log: what a line says, and when it is written."""

from __future__ import annotations

import asyncio
import io
import logging
import re

from proxy.observe.access_log import MAX_WAITING_LINES, AccessLog, format_line
from proxy.observe.record import Record
from tests.heads import HOST, get


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
    assert format_line(record()) == '203.0.113.7 "GET /lab" 200 1 2 0.013 forwarded'


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
    assert format_line(refused).endswith(" 0.013 refused (origin): Origin 'x'")


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

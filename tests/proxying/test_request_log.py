"""The lines in the log about requests that are refused or fail; what they say of the field at
fault is in test_request_handler."""

from __future__ import annotations

import pytest

from proxy.errors import UpstreamDown, UpstreamGarbage
from proxy.net.limits import ConcurrencyLimit
from proxy.observe.record import Record
from proxy.proxying.outage import Outage
from proxy.proxying.pool import Pool
from proxy.proxying.request_log import RequestLog
from proxy.proxying.router import Route
from proxy.rules.decision import Refuse
from proxy.runtime.log_format import facts
from tests.heads import SITE, get

REFUSAL = Refuse(403, "origin", "Not allowed.", "Origin", b"null", hint="do this")
LOCKOUT = Refuse(429, "lockout", "Try again in 5 s.")
HEAD = get(target=b"/api?token=secret")
REQUEST = "GET /api?token=[redacted] from 203.0.113.7 [-]"


def route(*, internal: bool = False, limit: ConcurrencyLimit | None = None) -> Route:
    outage = None if internal else Outage("Jupyter")
    limit = ConcurrencyLimit(0, 0) if limit is None else limit
    return Route(Pool(None), SITE, limit, outage=outage, internal=internal)


def test_each_refusal_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog()
    for _ in range(2):
        record = Record(HEAD)
        log.log_refusal(record, REFUSAL)
        assert not record.detail
    line = f"refused 403 by rule origin: Origin 'null'; {REQUEST} (do this)"
    assert caplog.messages == [line, line]


def test_with_an_access_log_the_reason_is_in_its_line(caplog: pytest.LogCaptureFixture) -> None:
    log, record = RequestLog(access_log=True), Record(HEAD)
    log.log_refusal(record, REFUSAL)
    assert (record.warning, record.detail) == (True, "Origin 'null' (do this)")
    log.log_failure(Record(HEAD), UpstreamDown("refused"), route())
    log.log_failure(Record(HEAD), UpstreamDown("refused"), route(internal=True))
    assert not caplog.messages


def test_an_address_that_is_locked_out_has_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog()
    for refusal in (LOCKOUT, LOCKOUT, REFUSAL, LOCKOUT):
        log.log_refusal(Record(HEAD), refusal)
    first, second = caplog.messages
    assert first == f"refused 429 by rule lockout: Try again in 5 s; {REQUEST}"
    assert second.startswith("refused 403")


def test_the_next_line_of_a_crowd_says_how_many_there_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = RequestLog()
    for _ in range(3):
        log.log_refusal(Record(HEAD), LOCKOUT)
    log._lockouts._next = 0.0  # as if the minute were over
    log.log_refusal(Record(HEAD), LOCKOUT)
    assert caplog.messages[-1].endswith("; 2 more since the last such line")


LIMITS = [
    pytest.param(route(), "limits.requests", id="all"),
    pytest.param(
        route(limit=ConcurrencyLimit(1, 0)), "limits.requests_per_address", id="one address"
    ),
    pytest.param(route(internal=True), "labgate's own paths", id="labgate's own paths"),
]


@pytest.mark.parametrize(("exceeded", "named"), LIMITS)
def test_an_exceeded_limit_has_a_line_now_and_then(
    exceeded: Route, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = RequestLog()
    for _ in range(3):
        log.log_rejection("203.0.113.7", exceeded)
    log._rejections._next = 0.0  # as if the minute were over
    log.log_rejection("203.0.113.7", exceeded)
    line = f"too many requests at once ({named}): 503 for 203.0.113.7"
    assert caplog.messages == [line, f"{line}; 2 more since the last such line"]


def test_a_failure_of_jupyter_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    log, jupyter = RequestLog(), route()
    for _ in range(2):
        log.log_failure(Record(HEAD), UpstreamDown("refused"), jupyter)
    assert jupyter.outage is not None
    assert jupyter.outage.open
    (line,) = caplog.messages
    assert line.startswith(f"{REQUEST}: refused; ")


def test_a_failure_of_labgates_own_application_has_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, own = RequestLog(), route(internal=True)
    for _ in range(3):
        log.log_failure(Record(HEAD), UpstreamGarbage("no response"), own)
    assert caplog.messages == [f"{REQUEST}: no response"]
    log._internal_failures._next = 0.0  # as if the minute were over
    log.log_failure(Record(HEAD), UpstreamGarbage("no response"), own)
    assert caplog.messages[1:] == [f"{REQUEST}: no response; 2 more since the last such line"]


def test_a_line_in_json_names_client_and_request(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog()
    log.log_refusal(Record(HEAD, request_id=b"0af7"), REFUSAL)
    log.log_failure(Record(HEAD, request_id=b"0af7"), UpstreamGarbage("x"), route(internal=True))
    known = facts(client="203.0.113.7", request_id="0af7").items()
    assert [known <= vars(line).items() for line in caplog.records] == [True, True]

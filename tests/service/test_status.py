from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from proxy.certs.status import CertificateStatus
from proxy.runtime.last_problems import LoggedProblem
from proxy.service.status import JupyterStatus, status_of
from proxy.workers.process_report import ProcessReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JUPYTER = JupyterStatus("http://127.0.0.1:8888", "", "answers", "", NOW)


def certificate(days: float, fault: str = "", error: str = "") -> CertificateStatus:
    return CertificateStatus(
        name="lab.example.org",
        names=("lab.example.org",),
        source="certbot",
        cert="",
        key="",
        temporary=False,
        issuer="",
        serial="",
        not_before=NOW,
        not_after=NOW + timedelta(days=days),
        fault=fault,
        next_renewal=None,
        last_error=error,
    )


def test_workers_are_added_up() -> None:
    one = ProcessReport(1, memory_bytes=10, connections=3, websockets=2, requests=1)
    other = ProcessReport(2, memory_bytes=20, connections=30, websockets=20, requests=10)
    status = status_of({}, JUPYTER, [("worker", one), ("worker", other)], [], NOW)
    summed = {name: status[name] for name in ("connections", "websockets", "requests")}
    assert summed == {"connections": 33, "websockets": 22, "requests": 11}
    assert status["memory_bytes"] == 30
    assert [process["pid"] for process in status["processes"]] == [1, 2]


def test_a_lockout_that_several_workers_know_is_one() -> None:
    one = ProcessReport(1, locked_out={"192.0.2.1": 10.4, "192.0.2.2": 5.0})
    other = ProcessReport(2, locked_out={"192.0.2.1": 11.6})
    status = status_of({}, JUPYTER, [("worker", one), ("worker", other)], [], NOW)
    assert status["lockouts"] == [
        {"address": "192.0.2.1", "seconds_left": 12},
        {"address": "192.0.2.2", "seconds_left": 5},
    ]


def test_the_last_problems_of_all_processes_in_the_order_of_time() -> None:
    problems = [LoggedProblem(float(second), "warning", str(second)) for second in range(20)]
    one = ProcessReport(1, problems=tuple(problems[::2]))
    other = ProcessReport(2, problems=tuple(problems[1::2]))
    status = status_of({}, JUPYTER, [("worker", one), ("worker", other)], [], NOW)
    assert [problem["text"] for problem in status["problems"]] == [str(n) for n in range(10, 20)]
    assert status["problems"][0]["time"] == "1970-01-01T00:00:10+00:00"


def test_days_left_are_whole_ones() -> None:
    certificates = [certificate(61.9), certificate(0.5), certificate(-0.5, "expired", "no DNS")]
    shown = status_of({}, JUPYTER, [], certificates, NOW)["certificates"]
    assert [one["days_left"] for one in shown] == [61, 0, -1]
    assert [one["problem"] for one in shown] == ["", "", "expired"]


def test_a_certificate_that_is_not_there_yet_tells_why_not() -> None:
    waiting = replace(certificate(1, "There is none yet.", "no answer"), temporary=True)
    (shown,) = status_of({}, JUPYTER, [], [waiting], NOW)["certificates"]
    assert shown["problem"] == "There is none yet. The last attempt failed: no answer"

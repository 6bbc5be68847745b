"""The facts of ``labgate status``, as JSON; pure.

::

    {"schema": 1,
     "version": "0.1.0", "command": "up", "pid": 4711, "user": "ada",
     "since": "2026-01-01T00:00:00+00:00",
     "service": "labgate.service",            # empty: no service manager started it
     "reload_refused": "",                    # why, if the last reload was
     "reload_failed": "",                     # how, if it did half-way; not of a JupyterHub's proxy
     "state_folder": "/var/lib/labgate",
     "addresses": ["https://lab.example.org"],  # the public ones, canonical first
     "listening": ["0.0.0.0:443", …],
     "metrics": "127.0.0.1:9464",             # empty: nowhere
     "hub_routes": 12,                        # only where it is the proxy of a JupyterHub
     "jupyter": {"address": "http://127.0.0.1:8888", "description": "container jupyter (…)",
                 "state": "answers",          # starting, answers, does not answer, restarting
                 "reason": "",
                 "since": "…"},               # when labgate last saw it begin or end
     "routes": [{"address": "https://ada.example.org/", "upstream": "http://127.0.0.1:8901",
                 "state": "answers",          # or: does not answer
                 "reason": "",                # why it does not, and what to do
                 "websockets": 1, "requests": 0}],
     "connections": 3, "websockets": 2, "requests": 0,
     "certificates": [{"names": […], "source": "certbot", "not_after": "…", "days_left": 61,
                       "temporary": false, "problem": "", "next_renewal": null}],
     "lockouts": [{"address": "203.0.113.9", "seconds_left": 840}],
     "memory_bytes": 52000000,                # of all processes
     "processes": [{"pid": 4711, "role": "main", "answers": true, "memory_bytes": …,
                    "connections": 3, "websockets": 2, "requests": 0}],
     "problems": [{"time": "…", "level": "warning", "text": "…"}]}   # oldest first

Times are ISO 8601, in UTC. Keys may be added; none changes its meaning while ``schema`` stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from proxy.certs.status import CertificateStatus
from proxy.observe.measurements import RouteNow, all_of
from proxy.runtime.last_problems import MAX_PROBLEMS, LoggedProblem
from proxy.workers.process_report import ProcessReport

SCHEMA = 1
DAY_SECONDS = 86_400

Status = dict[str, Any]
Role = Literal["main", "supervisor", "worker"]


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """One of ``[[routes]]``, as ``status`` shows it.

    Attributes:
        name: In the reports of processes.
        address: Where people open it.
        upstream: Where it leads.
        reason: Why it does not answer; empty if it does.
    """

    name: str
    address: str
    upstream: str
    reason: str


@dataclass(frozen=True, slots=True)
class JupyterStatus:
    """Jupyter, as ``status`` shows it.

    Attributes:
        address: Where it is; empty if that is not known yet.
        description: How it was launched; empty if somebody else did that.
        state: ``starting``, ``answers``, ``does not answer`` or ``restarting``.
        reason: Why it does not answer, or is started again.
        since: When it last began or ended, as far as labgate saw it.
    """

    address: str
    description: str
    state: str
    reason: str
    since: datetime


def status_of(
    about: Status,
    jupyter: JupyterStatus,
    processes: Sequence[tuple[Role, ProcessReport]],
    certificates: Sequence[CertificateStatus],
    now: datetime,
    *,
    routes: Sequence[RouteStatus] = (),
) -> Status:
    """The whole status.

    Args:
        about: What does not change while it runs.
        jupyter: The Jupyter behind it.
        processes: What each process tells of itself.
        certificates: In service; empty without TLS.
        now: The current time.
        routes: Those of ``[[routes]]``.
    """
    reports = [report for _, report in processes]
    return {
        "schema": SCHEMA,
        **about,
        "jupyter": {
            "address": jupyter.address,
            "description": jupyter.description,
            "state": jupyter.state,
            "reason": jupyter.reason,
            "since": _iso(jupyter.since),
        },
        "routes": [_route(route, reports) for route in routes],
        "connections": sum(report.connections for report in reports),
        "websockets": sum(report.websockets for report in reports),
        "requests": sum(report.requests for report in reports),
        "certificates": [_certificate(certificate, now) for certificate in certificates],
        "lockouts": _lockouts(reports),
        "memory_bytes": sum(report.memory_bytes for report in reports),
        "processes": [_process(role, report) for role, report in processes],
        "problems": _problems(reports),
    }


def _route(route: RouteStatus, reports: Sequence[ProcessReport]) -> Status:
    measured = all_of(report.now for report in reports).routes.get(route.name, RouteNow())
    return {
        "address": route.address,
        "upstream": route.upstream,
        "state": "does not answer" if route.reason else "answers",
        "reason": route.reason,
        "websockets": measured.websockets,
        "requests": measured.requests,
    }


def _certificate(certificate: CertificateStatus, now: datetime) -> Status:
    renewal = certificate.next_renewal
    problem = certificate.fault or certificate.last_error
    if certificate.temporary and certificate.fault and certificate.last_error:
        problem = f"{certificate.fault} The last attempt failed: {certificate.last_error}"
    return {
        "names": list(certificate.names),
        "source": certificate.source,
        "not_after": _iso(certificate.not_after),
        "days_left": int((certificate.not_after - now).total_seconds() // DAY_SECONDS),
        "temporary": certificate.temporary,
        "problem": problem,
        "next_renewal": None if renewal is None else _iso(renewal),
    }


def _lockouts(reports: Sequence[ProcessReport]) -> list[Status]:
    """Every worker knows of every lockout, but perhaps a moment later."""
    longest: dict[str, float] = {}
    for report in reports:
        for address, seconds in report.locked_out.items():
            longest[address] = max(seconds, longest.get(address, 0.0))
    return [
        {"address": address, "seconds_left": round(seconds)}
        for address, seconds in sorted(longest.items())
    ]


def _process(role: Role, report: ProcessReport) -> Status:
    return {
        "pid": report.pid,
        "role": role,
        "answers": report.answers,
        "memory_bytes": report.memory_bytes,
        "connections": report.connections,
        "websockets": report.websockets,
        "requests": report.requests,
    }


def _problems(reports: Sequence[ProcessReport]) -> list[Status]:
    logged = [problem for report in reports for problem in report.problems]
    return [_problem(problem) for problem in sorted(logged, key=_logged_at)[-MAX_PROBLEMS:]]


def _problem(problem: LoggedProblem) -> Status:
    at = datetime.fromtimestamp(problem.at, UTC)
    return {"time": _iso(at), "level": problem.level, "text": problem.text}


def _logged_at(problem: LoggedProblem) -> float:
    return problem.at


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")

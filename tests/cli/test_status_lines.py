from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from proxy import __version__
from proxy.cli.status_lines import fact_lines, lines_of, print_status

SINCE = "2026-01-01T00:00:00+00:00"
NOW = datetime(2026, 1, 3, 4, 5, 6, tzinfo=UTC)

STATUS: dict[str, Any] = {
    "schema": 1,
    "version": "1.2.3",
    "command": "up",
    "pid": 4711,
    "user": "ada",
    "since": SINCE,
    "service": "labgate.service",
    "reload_refused": "",
    "state_folder": "/var/lib/labgate",
    "addresses": ["https://lab.example.org"],
    "listening": ["0.0.0.0:443", "[::]:443"],
    "metrics": "",
    "jupyter": {
        "address": "http://127.0.0.1:8888",
        "description": "container jupyter (image jupyter:latest), adopted",
        "state": "answers",
        "reason": "",
        "since": SINCE,
    },
    "connections": 3,
    "websockets": 1,
    "requests": 0,
    "certificates": [],
    "lockouts": [],
    "memory_bytes": 52_000_000,
    "processes": [
        {
            "pid": 4711,
            "role": "main",
            "answers": True,
            "memory_bytes": 52_000_000,
            "connections": 3,
            "websockets": 1,
            "requests": 0,
        }
    ],
    "problems": [],
}
CERTIFICATE = {
    "names": ["lab.example.org", "www.example.org"],
    "source": "certbot",
    "not_after": "2026-03-01T00:00:00+00:00",
    "days_left": 61,
    "temporary": False,
    "problem": "",
    "next_renewal": None,
}


def text_of(label: str, **changes: Any) -> tuple[str, str]:
    lines = {name: (text, style) for name, text, style in lines_of(STATUS | changes, NOW) if name}
    return lines[label]


def test_what_runs_since_when() -> None:
    text, _ = text_of("labgate")
    assert text.startswith(
        "1.2.3, process 4711 of ada, labgate up, service labgate.service, since "
    )
    assert text.endswith(" (2 d 4 h)")


def test_another_version_than_the_command_names_the_upgrade() -> None:
    assert text_of("Upgrade") == (
        f"this command is of labgate {__version__}: `labgate upgrade` replaces what runs",
        "yellow",
    )
    same = lines_of(STATUS | {"version": __version__}, NOW)
    assert "Upgrade" not in [label for label, _, _ in same]


def test_a_refused_reload_is_said_until_one_succeeds() -> None:
    text, style = text_of("Reload", reload_refused="listen.workers: 'x' is not a number.")
    assert text == (
        "refused, the configuration from before stays: listen.workers: 'x' is not a number."
    )
    assert style == "red"


def test_a_reload_that_failed_half_way_is_said_until_one_succeeds() -> None:
    text, style = text_of("Reload", reload_failed="OSError('no more memory'); the log has more.")
    assert text == (
        "failed, a part of it may be in force: OSError('no more memory'); the log has more."
    )
    assert style == "red"


JUPYTER = STATUS["jupyter"]


def test_jupyter() -> None:
    text, style = text_of("Jupyter")
    assert text.startswith("answers at http://127.0.0.1:8888, since ")
    assert text.endswith("; container jupyter (image jupyter:latest), adopted")
    assert style == "green"
    paused = JUPYTER | {"state": "does not answer", "reason": "paused"}
    text, style = text_of("Jupyter", jupyter=paused)
    assert text.startswith("does not answer at http://127.0.0.1:8888 (paused); container ")
    assert style == "yellow"


def test_one_and_many_have_their_words() -> None:
    assert text_of("Traffic")[0] == "1 WebSocket, 0 requests under way, 3 connections"


CERTIFICATES = [
    ({}, "61 days left", ""),
    ({"days_left": 14}, "14 days left", "yellow"),
    ({"days_left": 1}, "1 day left", "yellow"),
    ({"temporary": True}, "61 days left; a temporary one, until the real one is there", ""),
    ({"problem": "It expires."}, "61 days left. It expires.", "red"),
]


@pytest.mark.parametrize(("changes", "shown", "style"), CERTIFICATES)
def test_certificates(changes: dict[str, Any], shown: str, style: str) -> None:
    text = f"lab.example.org, www.example.org (certbot): {shown}"
    assert text_of("Certificate", certificates=[CERTIFICATE | changes]) == (text, style)


def test_lockouts_say_how_they_are_lifted() -> None:
    lockouts = [{"address": "192.0.2.1", "seconds_left": 840}]
    text, _ = text_of("Locked out", lockouts=lockouts)
    assert text == "192.0.2.1, for 14 min 0 s more; labgate unlock 192.0.2.1 lets it in"


def test_a_worker_that_hangs_is_named() -> None:
    worker = STATUS["processes"][0] | {"role": "worker", "pid": 7}
    processes = [*STATUS["processes"], worker, worker | {"pid": 8, "answers": False}]
    texts = [text for _, text, _ in lines_of(STATUS | {"processes": processes}, NOW)]
    assert "worker 7: 52 MB, 1 WebSocket" in texts
    assert "worker 8: 52 MB, does not answer" in texts


def test_facts_are_one_a_line() -> None:
    facts = fact_lines(STATUS | {"certificates": [CERTIFICATE]})
    assert "version 1.2.3" in facts
    assert "jupyter.state answers" in facts
    assert "addresses.0 https://lab.example.org" in facts
    assert "certificates.0.days_left 61" in facts
    assert "certificates.0.temporary false" in facts
    assert "certificates.0.next_renewal" in facts
    assert not [fact for fact in facts if fact.startswith("lockouts")]


def test_the_table_fits_a_narrow_terminal() -> None:
    stream = io.StringIO()
    print_status(STATUS, NOW, Console(file=stream, width=60, highlight=False))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert "Address    https://lab.example.org" in [line.rstrip() for line in lines]


def test_no_word_is_broken_however_narrow_the_terminal_is() -> None:
    folder = "/home/ada/.local/state/labgate-of-a-long-name/jupyter"
    jupyter = STATUS["jupyter"] | {"reason": f"{folder} is full"}
    for columns in (24, 40, 60):
        stream = io.StringIO()
        console = Console(file=stream, width=columns, highlight=False)
        print_status(STATUS | {"jupyter": jupyter}, NOW, console)
        words = stream.getvalue().split()
        assert {f"({folder}", "https://lab.example.org", "labgate.service,"} <= set(words)


SPANS = [(0, "0 s"), (59, "59 s"), (3600, "1 h 0 min"), (90061, "1 d 1 h")]


@pytest.mark.parametrize(("seconds", "shown"), SPANS)
def test_spans_have_two_units(seconds: int, shown: str) -> None:
    lines = lines_of(STATUS, datetime.fromisoformat(SINCE) + timedelta(seconds=seconds))
    assert lines[0][1].endswith(f" ({shown})")


def test_routes() -> None:
    route = {
        "address": "https://ada.example.org/",
        "upstream": "http://127.0.0.1:8901",
        "state": "answers",
        "reason": "",
        "websockets": 1,
        "requests": 0,
    }
    away = route | {
        "address": "https://lab.example.org/bob/",
        "state": "does not answer",
        "reason": "nothing answers there",
    }
    alone = {"jupyter": STATUS["jupyter"] | {"state": "in routes"}, "routes": [route, away]}
    lines = lines_of(STATUS | alone, NOW)
    leads = "leads to http://127.0.0.1:8901, which"
    assert ("Routes", f"https://ada.example.org/ {leads} answers; 1 WebSocket", "green") in lines
    last = (
        f"https://lab.example.org/bob/ {leads} does not answer (nothing answers there); 1 WebSocket"
    )
    assert ("", last, "yellow") in lines
    assert "Jupyter" not in [label for label, _, _ in lines]
    beside = lines_of(STATUS | {"routes": [route]}, NOW)
    assert {"Jupyter", "Routes"} <= {label for label, _, _ in beside}

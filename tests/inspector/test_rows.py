"""What a terminal gets: lines that are never folded, and nothing that it would obey."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from rich.console import Console

from proxy.inspector.curl import to_curl
from proxy.inspector.exchange import (
    READ_IN,
    CapturedChange,
    CapturedContent,
    CapturedHead,
    CapturedMessage,
    Times,
)
from proxy.inspector.mends import cause_and_mends
from proxy.inspector.rows import escaped, json_line, row, whole, why

from .exchanges import exchange

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eabc\r\x00"


def details(**known: Any) -> dict[str, Any]:
    one = exchange(**known)
    shown = {**one.details(), **cause_and_mends(one, {}), "curl": to_curl(one)}
    parsed: dict[str, Any] = json.loads(json.dumps(shown))
    return parsed


def printed(*lines: Any, width: int = 40) -> str:
    stream = StringIO()
    console = Console(
        file=stream, width=width, force_terminal=True, color_system=None, markup=False
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return stream.getvalue()


def test_nothing_that_came_reaches_the_terminal_as_control() -> None:
    hostile = CapturedHead(f"GET {EVIL}", ((f"X-{EVIL}", EVIL),))
    one = details(
        method=EVIL,
        target=EVIL,
        received=hostile,
        sent_up=hostile,
        answered=hostile,
        sent_down=hostile,
        rule="origin",
        reason=EVIL,
        symptom="origin-refused",
        explanation=EVIL,
        content_down=CapturedContent(EVIL, 9, whole=True),
        messages=[CapturedMessage(0.0, True, "text", 1, 9, words=EVIL, text=EVIL)],
        websocket=True,
    )
    summary = {**one, "messages": 1, "seconds": 0.1}
    text = printed(row(summary), *why(one), *whole(one))
    assert "\\x1b]0;owned\\x07" in text
    assert "\\u202e" in text
    assert all(line.isprintable() for line in text.split("\n")), repr(text)
    assert json_line(one).isprintable()
    assert json.loads(json_line(one)) == one


def test_lines_are_never_folded() -> None:
    target = "/api/" + "long" * 40
    text = printed(row({**details(target=target), "messages": 0, "seconds": None}), width=20)
    assert target in text
    assert text.count("\n") == 1


def test_a_row_names_the_route_where_there_are_several() -> None:
    for route, shown in (("/user/ada", "  route /user/ada"), ("", ""), (EVIL, "\\x1b")):
        text = printed(row({**details(route=route), "messages": 0, "seconds": None}))
        assert ("route" in text) is bool(route)
        assert shown in text
        assert text.rstrip("\n").isprintable()


def test_a_row_of_an_archive_says_so() -> None:
    for outcome, shown in ((READ_IN, True), ("forwarded", False)):
        one = {**details(outcome=outcome), "messages": 0, "seconds": None}
        assert ("read in" in printed(row(one))) is shown


def test_text_of_people_stays_as_it_is() -> None:
    assert escaped("Grüße, 日本語") == "Grüße, 日本語"
    assert escaped("a\tb") == "a   b"
    assert "Grüße" in json_line({"text": "Grüße"})


def test_the_whole_tells_times_and_the_mend_of_the_server_on_the_way() -> None:
    head = CapturedHead("GET / HTTP/1.1", (("Via", "1.1 front (Apache)"),))
    times = Times(
        tls=0.002, queue=0.0, dial=0.001, sent_up=0.001, first_octet=0.01, last_octet=0.02
    )
    one = details(status=400, symptom="websocket-not-upgraded", received=head, times=times)
    text = printed(*whole(one))
    assert "Mend in Apache" in text
    assert "in nginx" not in text
    assert "times: TLS before 2 ms, queue 0 ms, dial 1 ms, sent to Jupyter at 1 ms" in text


def test_a_front_that_does_not_measure_tls_says_so() -> None:
    assert "TLS before not measured here" in printed(
        *whole(details(scheme="https", times=Times(queue=0.0)))
    )
    assert "TLS" not in printed(*whole(details(scheme="http", times=Times(queue=0.0))))


def test_what_was_put_in_again_is_no_change() -> None:
    head = CapturedHead("GET /ws HTTP/1.1", (("Upgrade", "websocket"), ("Te", "trailers")))
    changes = (
        CapturedChange("hop-by-hop", "Upgrade", "websocket", None),
        CapturedChange("hop-by-hop", "Upgrade", None, "websocket"),
        CapturedChange("hop-by-hop", "Te", "gzip", None),
    )
    text = printed(*whole(details(received=head, sent_up=head, changes_up=changes)))
    assert [line for line in text.splitlines() if "Upgrade" in line] == ["    Upgrade: websocket"]
    assert "- Te: gzip" in text


def test_the_whole_says_why_labgate_would_have_refused_what_went_well() -> None:
    observed = details(rule="host", reason="start with --domain a:1", would_refuse=True)
    assert "--domain a:1" not in printed(*why(observed))
    assert "--domain a:1" in printed(*why(observed, all_of_it=True))
    assert "--domain a:1" in printed(*whole(observed))


def test_mends_say_how_they_go_together() -> None:
    text = printed(*whole(details(status=404, symptom="forwarded-proto")))
    assert "Mend in nginx" in text
    assert "And, unless it is there already, in jupyter_server_config.py" in text

"""What an archive tells of a failure: labgate's own words, or what the heads show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.inspector.exchange import READ_IN, CapturedHead, Exchange
from proxy.inspector.har import from_har, to_har

from .exchanges import exchange

SECRET = "s3cr3t-4711"
XSRF = "'_xsrf' argument missing from POST"


def read(*entries: Any) -> list[Exchange]:
    return from_har(json.loads(json.dumps({"log": {"entries": entries}})))


def foreign(status: int = 403, method: str = "GET", text: str = "", **request: Any) -> Any:
    """As a browser writes it, which has no words of labgate's."""
    given = {"method": method, "url": "https://lab.example.org/api/contents", "headers": []}
    return {
        "startedDateTime": "2026-01-02T03:04:05.000Z",
        "time": 12,
        "request": given | request,
        "response": {"status": status, "headers": [], "content": {"text": text}},
    }


PAGE = [
    {"name": "Sec-Fetch-Site", "value": "same-origin"},
    {"name": "Sec-Fetch-Mode", "value": "cors"},
]
SOCKET = [
    {"name": "Origin", "value": "https://lab.example.org"},
    {"name": "Sec-WebSocket-Key", "value": "a"},
    {"name": "Connection", "value": "Upgrade"},
    {"name": "Upgrade", "value": "websocket"},
]
LOGGED_IN = foreign(200, headers=[{"name": "Cookie", "value": "username-x=a"}])


def test_what_labgate_said_comes_back() -> None:
    said = {"symptom": "origin-refused", "explanation": "Jupyter answered 404 because … Grüße."}
    rule: dict[str, Any] = {"rule": "origin", "reason": "Origin: 'x'.", "would_refuse": True}
    one = exchange(status=404, **said, **rule)
    refused = exchange(status=421, rule="host", reason="no such site")
    back, other = from_har(json.loads(json.dumps(to_har([one, refused]))))
    assert (back.symptom, back.explanation) == (one.symptom, one.explanation)
    assert (back.rule, back.reason, back.would_refuse) == ("origin", "Origin: 'x'.", True)
    assert (back.outcome, back.peer) == (READ_IN, "")
    assert (other.rule, other.would_refuse, other.symptom) == ("host", False, "")


@pytest.mark.parametrize(
    ("entry", "symptom", "words"),
    [
        (foreign(), "login-missing", "neither Cookie nor token"),
        (foreign(headers=PAGE), "cookies-lost", "no Cookie came"),
        (
            foreign(
                method="POST",
                url="https://lab.example.org/login",
                text=XSRF,
                headers=[{"name": ":authority", "value": "lab.example.org"}],
            ),
            "xsrf-lost",
            "this login came without the cookie _xsrf",
        ),
        (
            foreign(404, headers=[{"name": "Origin", "value": "https://evil.example"}]),
            "origin-refused",
            "Origin https://evil.example is not Host lab.example.org",
        ),
        (foreign(500), "jupyter-error", "its log has the traceback"),
        (foreign(500, url="https://lab.example.org/lab"), "jupyter-error", "Jupyter answered"),
        (foreign(200), "", ""),
        (foreign(500, url="chrome-extension://abc/a.js"), "", ""),
        (foreign(500, url="https://h:nine/"), "", ""),
    ],
)
def test_what_a_browser_wrote_is_explained(entry: Any, symptom: str, words: str) -> None:
    one, _ = read(entry, LOGGED_IN)
    assert one.symptom == symptom
    assert words in one.explanation


@pytest.mark.parametrize(
    ("status", "request_", "text"),
    [
        (403, {}, ""),
        (403, {"headers": PAGE}, ""),
        (403, {"method": "POST", "headers": PAGE}, XSRF),
        (403, {"method": "POST", "url": "https://lab.example.org/login"}, XSRF),
        (401, {"headers": PAGE}, ""),
        (403, {"url": "wss://lab.example.org/api/kernels/1/channels", "headers": SOCKET}, ""),
    ],
)
def test_an_archive_without_any_cookie_tells_nothing_of_logins(
    status: int, request_: dict[str, Any], text: str
) -> None:
    """Chromium leaves Cookie, Set-Cookie and Authorization out by itself."""
    one, _ = read(foreign(status, text=text, **request_), foreign(200))
    assert one.symptom == ""
    assert one.explanation.startswith(f"Jupyter answered {status}. ")
    assert "Export it with sensitive data" in one.explanation
    assert "in front" not in one.explanation
    (alone,) = read(foreign(status, text=text, **request_ | {"url": "https://shop.example/a"}))
    assert "Jupyter answered" not in alone.explanation


def test_labgate_leaves_no_cookie_out_of_its_own_archives() -> None:
    (one,) = from_har(to_har([exchange(status=403, target="/api/archived")]))
    assert one.symptom == "login-missing"
    assert "neither Cookie nor token" in one.explanation
    again = exchange(status=403, target="/api/contents", outcome=READ_IN)
    (read_twice,) = from_har(to_har([again]))
    assert read_twice.symptom == ""
    assert "cannot be told" in read_twice.explanation


MARKS = [
    {"name": "server", "value": "TornadoServer/6.5"},
    {"name": "X-JupyterHub-Version", "value": "5.2"},
    {"name": "Content-Security-Policy", "value": "report-uri /api/security/csp-report"},
]


@pytest.mark.parametrize("mark", MARKS)
def test_it_is_a_jupyter_where_something_marks_it_as_one(mark: dict[str, str]) -> None:
    failed = foreign(500, url="https://lab.example.org/a")
    (unknown,) = read(failed)
    assert (unknown.symptom, unknown.explanation[:24]) == ("", "The server answered 500.")
    other = foreign(200, url="https://lab.example.org/b")
    other["response"]["headers"].append(mark)
    known, _ = read(failed, other)
    assert (known.symptom, known.explanation[:20]) == ("jupyter-error", "Jupyter answered 500")


def test_nothing_secret_or_hostile_of_a_stranger_is_shown() -> None:
    hostile = {
        "symptom": "origin-refused",
        "explanation": f"\x1b]0;owned\x07 https://h/?token={SECRET}",
        "rule": ["x"],
        "reason": f"a?token={SECRET}\x1b",
    }
    named = [
        {"name": "Cookie", "value": f"username-x={SECRET}"},
        {"name": "Referer", "value": f"https://h/?token={SECRET}"},
    ]
    shown = read(
        foreign() | {"_labgate": hostile},
        foreign() | {"_labgate": hostile | {"symptom": "no-such"}},
        foreign() | {"_labgate": 7},
        foreign(headers=named, url=f"https://lab.example.org/files/a?token={SECRET}"),
    )
    assert shown[0].symptom == "origin-refused"
    assert [one.rule for one in shown] == ["", "", "", ""]
    for one in shown:
        assert SECRET not in str(one.details())
        assert (one.explanation + one.reason).isprintable()
        assert isinstance(one.received, CapturedHead)

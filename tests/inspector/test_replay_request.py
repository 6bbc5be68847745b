"""What may be sent again."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.inspector.replay_request import ReplayError, parse_replay

GET: dict[str, Any] = {"method": "GET", "target": "/api"}


def test_a_request() -> None:
    wanted = parse_replay(
        {
            "method": "POST",
            "target": "/api/contents?x=%2F",
            "fields": [["Accept", "*/*"], ["Host", "evil"], ["Cookie", "a=[redacted]"]],
            "content": "{}",
            "through": "rules",
            "token": "abc",
            "confirmed": True,
            "route": "/user/ada",
        }
    )
    assert wanted.fields == ((b"Accept", b"*/*"),)
    assert (wanted.method, wanted.target, wanted.content) == ("POST", "/api/contents?x=%2F", b"{}")
    assert (wanted.through_rules, wanted.token, wanted.confirmed) == (True, "abc", True)
    assert wanted.route == "/user/ada"
    assert parse_replay(GET).route is None


@pytest.mark.parametrize(
    ("change", "at_fault"),
    [
        ({"method": "TRACE"}, "method"),
        ({"method": "GET x"}, "method"),
        ({"target": "http://elsewhere/"}, "target"),
        ({"target": "//elsewhere/ x"}, "target"),
        ({"target": "/a\r\nX: y"}, "target"),
        ({"target": "/lab?token=[redacted]"}, "target"),
        ({"fields": {}}, "fields"),
        ({"fields": [["A"]]}, "fields"),
        ({"fields": [["A b", "c"]]}, "fields"),
        ({"fields": [["A", "c\r\nX: y"]]}, "fields"),
        ({"content": 3}, "content"),
        ({"token": "a\nb"}, "token"),
        ({"route": ["/user/ada"]}, "route"),
    ],
)
def test_what_is_malformed(change: dict[str, Any], at_fault: str) -> None:
    with pytest.raises(ReplayError, match=f"^{at_fault}:"):
        parse_replay(GET | change)


def test_what_is_no_request() -> None:
    with pytest.raises(ReplayError):
        parse_replay([])

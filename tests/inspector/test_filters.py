"""The filter's words."""

from __future__ import annotations

import pytest

from proxy.inspector.exchange import CapturedChange
from proxy.inspector.filters import FilterError, is_error, parse_filter

from .exchanges import exchange

REFUSED = exchange("POST", "/api/contents", 403, rule="origin", reason="Origin 'https://evil'")
CHANGED = exchange(changes_up=(CapturedChange("host", "Host", "a", "b"),))
SOCKET = exchange(
    "GET", "/api/kernels/1/channels", 101, websocket=True, open=True, route="/user/Ada"
)
FAILED = exchange(
    "PUT",
    "/api/contents/A",
    404,
    symptom="origin-refused",
    peer="::1",
    route="lab.example.org/ada/",
)
OBSERVED = exchange(rule="host", would_refuse=True)
UNANSWERED = exchange(status=0, sent_down=None)


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("", [REFUSED, CHANGED, SOCKET, FAILED, UNANSWERED]),
        ("status:403", [REFUSED]),
        ("status:4XX", [REFUSED, FAILED]),
        ("path:/api/kernels", [SOCKET]),
        ("method:put", [FAILED]),
        ("route:/user/ada", [SOCKET]),
        ("route:/user/ada/", [SOCKET]),
        ("route:/user", []),
        ("route:/", []),
        ("route:lab.example.org/ada", [FAILED]),
        ("-route:/user/ada is:ws", []),
        ("rule:origin", [REFUSED]),
        ("rule:host", [CHANGED]),
        ("symptom:origin-refused", [FAILED]),
        ("peer:::1", [FAILED]),
        ("is:ws", [SOCKET]),
        ("is:open", [SOCKET]),
        ("is:refused", [REFUSED]),
        ("is:changed", [CHANGED]),
        ("is:error", [REFUSED, FAILED, UNANSWERED]),
        ("-is:error status:200", [CHANGED]),
        ("evil", [REFUSED]),
        ('"https://EVIL"', [REFUSED]),
        ("accept", [REFUSED, CHANGED, SOCKET, FAILED, UNANSWERED]),
        ("status:4xx method:put", [FAILED]),
    ],
)
def test_words(text: str, matching: list[object]) -> None:
    matches = parse_filter(text)
    everything = [REFUSED, CHANGED, SOCKET, FAILED, UNANSWERED]
    assert [one for one in everything if matches(one)] == matching


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour:red", "there is no key 'colour': use status"),
        ("status:4", "write a status such as 403"),
        ("is:nice", "use ws, error"),
    ],
)
def test_a_word_that_means_nothing(text: str, sentence: str) -> None:
    with pytest.raises(FilterError, match=sentence):
        parse_filter(text)


def test_what_was_only_observed_is_no_error() -> None:
    assert not is_error(OBSERVED)
    assert parse_filter("is:refused")(OBSERVED)

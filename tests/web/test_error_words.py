"""What an error page says: by rule, by status, and where neither is in the table."""

from __future__ import annotations

import pytest

from proxy.web.error_words import error_words

HEADINGS = [
    pytest.param(403, "allow-list", "No way in from your network", id="the rule's own"),
    pytest.param(403, "origin", "This was opened from another site", id="origin"),
    pytest.param(403, "fetch-site", "This was opened from another site", id="fetch-site"),
    pytest.param(403, "websocket-origin", "This is not allowed", id="the status's"),
    pytest.param(421, "host", "This server answers under another name", id="421"),
    pytest.param(503, "limit", "Too much at once", id="503"),
    pytest.param(400, "framing", "The request was not understood", id="neither"),
]


@pytest.mark.parametrize(("status", "reason", "heading"), HEADINGS)
def test_headings(status: int, reason: str, heading: str) -> None:
    assert error_words(status, reason).heading == heading


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 421, 429, 500, 502, 504])
def test_every_error_says_what_to_do(status: int) -> None:
    assert error_words(status, "").advice.endswith(".")

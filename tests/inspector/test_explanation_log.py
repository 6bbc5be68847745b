"""The doctor's words are in the log, once for each exchange, and never in a flood."""

from __future__ import annotations

import pytest

from proxy.inspector.exchange import READ_IN
from proxy.inspector.explanation_log import ExplanationLog
from proxy.inspector.ring import Ring
from tests.inspector.exchanges import exchange


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_what_failed_is_explained_when_it_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    ring = Ring()
    ring.listen(ExplanationLog())
    ring.add(exchange())
    failed = exchange("PUT", "/api/contents/a", 404, open=True)
    ring.add(failed)
    assert lines(caplog) == []
    failed.symptom, failed.explanation = "origin-refused", "Jupyter answered 404 because …"
    failed.open = False
    ring.update(failed)
    assert lines(caplog) == [
        "origin-refused: Jupyter answered 404 because …; PUT /api/contents/a, `labgate inspect 2`"
    ]


def test_a_flood_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    ring = Ring()
    ring.listen(ExplanationLog())
    for symptom in ("not-found", "not-found", "not-found", "xsrf-lost"):
        ring.add(exchange(status=404, symptom=symptom, explanation="Because."))
    assert [line.partition(":")[0] for line in lines(caplog)] == ["not-found", "xsrf-lost"]
    assert lines(caplog)[0].startswith("not-found: Because; ")


def test_what_was_read_from_an_archive_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    ring = Ring()
    ring.listen(ExplanationLog(), failures=True)
    ring.add(exchange(status=404, symptom="not-found", explanation="Because.", outcome=READ_IN))
    assert lines(caplog) == []

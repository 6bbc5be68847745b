"""Every test of HTTP/1.1 also holds the states of its connections against the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http1.watch_states import Change, watched


@pytest.fixture(autouse=True)
def state_changes(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Change]]:
    with watched(monkeypatch) as changes:
        yield changes

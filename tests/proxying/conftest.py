"""Every test of the proxying also holds the states of its connections against the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http1.watch_states import watched


@pytest.fixture(autouse=True)
def _states(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with watched(monkeypatch):
        yield

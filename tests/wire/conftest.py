"""What every wire test shares: taps, the hard limit, and the tables of a connection's states."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http1.watch_states import watched
from tests.wire.talk import LIMIT_SECONDS, Taps


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Taps:
    return Taps(monkeypatch)


@pytest.fixture
def seconds() -> float:
    """The hard limit of one case: a hang is a failure."""
    return LIMIT_SECONDS


@pytest.fixture(autouse=True)
def _states(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with watched(monkeypatch):
        yield

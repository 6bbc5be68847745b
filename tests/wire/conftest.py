"""What every wire test shares: the taps, and the hard limit."""

from __future__ import annotations

import pytest

from tests.wire.talk import LIMIT_SECONDS, Taps


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Taps:
    return Taps(monkeypatch)


@pytest.fixture
def seconds() -> float:
    """The hard limit of one case: a hang is a failure."""
    return LIMIT_SECONDS

"""What every wire test shares: the taps, the hard limit, and the rows that fail today."""

from __future__ import annotations

import pytest

from .known_failures import KNOWN_FAILURES, RACES
from .talk import HANGS_SECONDS, LIMIT_SECONDS, Taps


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Taps:
    return Taps(monkeypatch)


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """The hard limit of one case: a hang is a failure, and a known one need not take long."""
    return HANGS_SECONDS if request.node.get_closest_marker("xfail") else LIMIT_SECONDS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "wire" not in item.path.parts:
            continue
        for key in _keys(item.name):
            if key in KNOWN_FAILURES:
                mark = pytest.mark.xfail(strict=key not in RACES, reason=KNOWN_FAILURES[key])
                item.add_marker(mark)
                break


def _keys(name: str) -> list[str]:
    """The names a known failure may have: with and without its folder and segmentation."""
    if not name.startswith(("test_request[", "test_response[")):
        return [name]
    kind, _, case = name.removeprefix("test_").rstrip("]").partition("[")
    plain = case.removesuffix("-whole").removesuffix("-bytes")
    return [case, plain, f"{kind} {case}", f"{kind} {plain}"]

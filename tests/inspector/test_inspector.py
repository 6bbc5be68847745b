"""The capture is on as long as somebody wants it, and says when it ended by itself."""

from __future__ import annotations

import pytest

from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.ring import Ring
from tests.inspector.exchanges import exchange

HEADS, CONTENT = CaptureOptions(), CaptureOptions(content=True)


@pytest.fixture
def used() -> list[Recorder | None]:
    """The recorders that were put to use, in order."""
    return []


@pytest.fixture
def inspector(used: list[Recorder | None]) -> Inspector:
    return Inspector(Ring(), used.append)


def test_it_is_on_until_the_last_one_who_wants_it_has_left(inspector: Inspector) -> None:
    first, second = inspector.want(HEADS), inspector.want(HEADS)
    first()
    first()
    assert inspector.options == HEADS
    second()
    assert inspector.options is None


def test_what_goes_on_is_not_begun_again(inspector: Inspector, used: list[Recorder | None]) -> None:
    inspector.want(HEADS)
    inspector.want(HEADS)()
    assert len(used) == 1


def test_content_is_captured_while_one_of_them_wants_it(inspector: Inspector) -> None:
    inspector.want(HEADS)
    leave = inspector.want(CONTENT)
    assert inspector.options == CONTENT
    leave()
    assert inspector.options == HEADS


def test_what_was_switched_on_goes_on_without_them(inspector: Inspector) -> None:
    inspector.switch(HEADS)
    inspector.want(CONTENT)()
    assert inspector.options == HEADS


def test_who_switches_it_decides_for_all(inspector: Inspector) -> None:
    leave = inspector.want(CONTENT)
    inspector.switch(HEADS)
    assert inspector.options == HEADS
    inspector.switch(None)
    leave()
    assert inspector.options is None


def test_at_its_end_nothing_is_kept_or_wanted(inspector: Inspector) -> None:
    inspector.switch(HEADS)
    leave = inspector.want(CONTENT)
    inspector.ring.add(exchange())
    inspector.end()
    leave()
    assert inspector.options is None
    assert not inspector.ring


def test_changes_and_faults_are_told_until_it_is_switched_on_again(inspector: Inspector) -> None:
    told: list[tuple[bool, str]] = []
    end = inspector.listen(lambda: told.append((inspector.options is not None, inspector.fault)))
    inspector.switch(HEADS)
    inspector.failed("Worker process 7: a fault.")
    inspector.want(HEADS)
    inspector.switch(None)
    end()
    inspector.switch(HEADS)
    assert told == [(True, ""), (True, "Worker process 7: a fault."), (True, ""), (False, "")]


def test_a_fault_names_its_kind_and_nothing_that_was_captured(
    inspector: Inspector, used: list[Recorder | None]
) -> None:
    inspector.switch(HEADS)
    [recorder] = used
    assert recorder is not None
    with recorder.guard:
        raise ValueError("s3cret")
    assert inspector.options is None
    assert inspector.fault == "The capture has ended with a fault (ValueError)."

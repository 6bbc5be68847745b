from __future__ import annotations

from typing import Any

import pytest

from proxy.jupyter.foreign_container import describe_serving

SERVE = "labgate serve --upstream http://127.0.0.1:8888"
RUNS = {"Running": True}


@pytest.mark.parametrize(
    ("state", "port", "answers", "expected"),
    [
        (RUNS, 8888, True, f", or serve it as it is: {SERVE}"),
        (RUNS, 8888, False, f", or serve it as it is once Jupyter in it answers: {SERVE}"),
        (
            RUNS | {"Paused": True},
            8888,
            False,
            f", or serve it as it is: docker unpause lab && {SERVE}",
        ),
        ({"Running": False}, 8888, False, f", or serve it as it is: docker start lab && {SERVE}"),
        (RUNS, 0, False, ". It publishes no port here, so labgate cannot serve a Jupyter in it."),
    ],
)
def test_how_to_serve_it(state: dict[str, Any], port: int, answers: bool, expected: str) -> None:
    assert describe_serving("lab", state, port, answers=answers) == expected

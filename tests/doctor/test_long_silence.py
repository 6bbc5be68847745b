"""``labgate doctor --long`` at labgate itself: 70 s of silence end no WebSocket of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.test_secrets import labgate_doctor
from tests.e2e.programs import TOKEN, Jupyter, Labgate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]


async def test_seventy_seconds_of_silence(jupyter: Jupyter, tmp_path: Path) -> None:
    with Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate:
        code, out = await labgate_doctor(
            labgate.origin,
            *("--ca", str(labgate.authority), "--http-port", str(labgate.http_port), "--long"),
            LABGATE_DOCTOR_TOKEN=TOKEN,
        )
    assert code == 0, out
    assert "Nothing is wrong at" in out
    assert "Not tried" not in out

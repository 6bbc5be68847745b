"""That a page is measured; the figures of so few loads mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.page import figures
from tests.bench.page.peers import page_peers
from tests.bench.page.run import PageLoad, run
from tests.bench.table import target_rows


def test_every_target_is_measured() -> None:
    measured = {figure for line in figures.LINES for figure in PageLoad(line).figures}
    assert {target.figure for target in figures.TARGETS} <= measured
    assert {target.peer for target in figures.TARGETS if target.peer} == set(figures.PEERS)
    assert set(figures.PEERS) < {peer.name for peer in page_peers()}


@pytest.mark.deployment
@pytest.mark.chromium
@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_a_page_is_measured(tmp_path: Path) -> None:
    labgate = page_peers()[0]
    samples = run([labgate], 1, lambda _: None, tmp_path, settling_seconds=0.0)
    for figure in samples.figures:
        (value,) = samples.values(figure.name, labgate.name)
        assert value > 0, figure.name
    assert {row[0] for row in target_rows(samples, figures.TARGETS)} == {figures.OCTETS.name}
    assert len(list(tmp_path.glob("*.png"))) == 1

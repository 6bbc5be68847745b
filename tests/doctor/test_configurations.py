"""``labgate doctor`` names what is wrong with an nginx, and nothing else.

Each mend is then pasted, as somebody would who reads it, and the doctor finds nothing more.
"""

from __future__ import annotations

import pytest

from tests.doctor.configurations import NGINX, WRONG, first_of_each_symptom
from tests.doctor.conftest import Start
from tests.doctor.leftovers import leftovers
from tests.doctor.running import examine, mended
from tests.e2e.programs import Jupyter

pytestmark = [pytest.mark.jupyter, pytest.mark.nginx, pytest.mark.usefixtures("jupyterlab")]

ONLY_WITH_PATIENCE = "idle-timeout"
"""Takes ``--long``, 70 s: tests/doctor/test_nginx.py tries it with less."""

NOT_MENDED_THERE = {
    "sso-redirect": "calls then get 401, which is right, from a login that the doctor has not",
    "base-url": "Jupyter has to know the path: tests/doctor/test_other_configurations.py",
}

ROWS = {
    name: row
    for name, row in WRONG.items()
    if row[0].server == "nginx" and row[1] != ONLY_WITH_PATIENCE
}
PASTED = {
    name for name in first_of_each_symptom() & set(ROWS) if ROWS[name][1] not in NOT_MENDED_THERE
}


@pytest.mark.parametrize("name", ROWS)
def test_one_thing_is_wrong(name: str, start: Start, jupyter: Jupyter) -> None:
    configuration, symptom = ROWS[name]
    proxy = start(configuration)
    wrong = examine(proxy)
    assert wrong.found == [symptom], wrong
    if name in PASTED:
        proxy.restart(mended(proxy, wrong))
        right = examine(proxy)
        assert right.found == [], right
    assert leftovers(jupyter) == []


def test_nothing_is_wrong(start: Start) -> None:
    right = examine(start(NGINX))
    assert right.found == [], right


def test_nothing_answers(start: Start) -> None:
    proxy = start(NGINX)
    proxy.stop()
    assert examine(proxy).found == ["unreachable"]


def test_the_afternoon_of_the_author(start: Start) -> None:
    """First "cannot create a file", then "cannot connect to the notebook server"."""
    as_copied = NGINX.without(
        "proxy_set_header Host", "proxy_set_header Upgrade", "proxy_set_header Connection"
    )
    proxy = start(as_copied)
    first = examine(proxy)
    assert first.found == ["origin-refused"]
    assert "proxy_set_header Host $http_host;" in first.mend["nginx"]

    proxy.restart(mended(proxy, first))
    second = examine(proxy)
    assert second.found == ["websocket-not-upgraded"]
    assert "proxy_set_header Upgrade $http_upgrade;" in second.mend["nginx"]

    proxy.restart(mended(proxy, second))
    third = examine(proxy)
    assert third.found == [], third

"""As ``test_configurations``: limits, paths, caches, certificates, and who is let in by nginx."""

from __future__ import annotations

import pytest

from tests.doctor.configurations import OF_FIELDS, WRONG
from tests.doctor.conftest import Start
from tests.doctor.running import check

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab"),
]

ONLY_WITH_PATIENCE = "idle-timeout"
"""Takes ``--long``, 70 s: tests/doctor/test_nginx.py tries it with less."""

ROWS = [
    name
    for name, (configuration, symptom) in WRONG.items()
    if configuration.server == "nginx" and symptom not in {*OF_FIELDS, ONLY_WITH_PATIENCE}
]


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize("name", ROWS)
def test_one_thing_is_wrong(name: str, start: Start) -> None:
    check(name, start)

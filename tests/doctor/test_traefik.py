"""As ``test_configurations``, for Traefik; and Traefik reads every line of its mends."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.symptoms.mends import LINES
from proxy.symptoms.model import mend
from tests.doctor.certificates import Certificates
from tests.doctor.conftest import Start
from tests.doctor.running import check, examine, filled_in, mended
from tests.doctor.traefik import Traefik
from tests.doctor.traefik_configurations import SEVERAL, TRAEFIK, WRONG_TRAEFIK

pytestmark = [pytest.mark.proxies]

MENDED_ALONE = {"Traefik: Host is Jupyter's", "Traefik: Host and Origin are always Jupyter's"}
"""The mends of most others are pasted together: an examination takes seconds."""


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab", "nothing_stays")
@pytest.mark.parametrize("name", WRONG_TRAEFIK)
def test_one_thing_is_wrong(name: str, start: Start) -> None:
    check(name, start, mends=name in MENDED_ALONE)


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab", "nothing_stays")
def test_several_things_are_wrong(start: Start) -> None:
    configuration, symptoms = SEVERAL
    proxy = start(configuration)
    wrong = examine(proxy)
    assert wrong.found == symptoms, wrong
    proxy.restart(mended(proxy, *wrong.mends))
    right = examine(proxy)
    assert right.found == [], right


def test_traefik_reads_its_mends(tmp_path: Path, certificates: Certificates) -> None:
    """All of them in one configuration: what it does not know is in its log, or ends it."""
    traefik = Traefik(tmp_path, TRAEFIK, "127.0.0.1:1", certificates)
    facts = {"domain": "localhost", "port": str(traefik.port)}
    pasted = TRAEFIK.pasted("")
    for symptom in LINES["traefik"]:
        pasted = pasted.pasted(filled_in(traefik, mend(symptom, facts)["traefik"]))
    assert pasted != TRAEFIK
    traefik.configure(pasted)
    with traefik:
        assert traefik.log == ""

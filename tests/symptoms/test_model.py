"""Every symptom has an explanation and a remedy."""

from __future__ import annotations

import re

import pytest

from proxy.symptoms.mends import LINES
from proxy.symptoms.model import SYMPTOMS, Symptom, mend


@pytest.mark.parametrize("symptom", SYMPTOMS.values(), ids=SYMPTOMS)
def test_a_symptom_is_a_sentence_with_a_check(symptom: Symptom) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", symptom.id)
    assert symptom.title[0].isupper()
    assert symptom.title[-1] not in ".:"
    assert symptom.check


def test_mends_are_for_symptoms() -> None:
    assert {name for lines in LINES.values() for name in lines} <= set(SYMPTOMS)


def test_a_mend_is_filled_with_what_is_known() -> None:
    lines_by_server = mend("origin-refused", {"upstream": "10.0.0.7:9999"})
    assert "proxy_set_header Host $http_host;" in lines_by_server["nginx"]


def test_an_unknown_symptom_is_an_error() -> None:
    with pytest.raises(KeyError):
        mend("unknown", {})

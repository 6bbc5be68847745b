"""Every symptom has an explanation and a remedy."""

from __future__ import annotations

import re

import pytest

from proxy.symptoms.mends import LINES
from proxy.symptoms.mends.jupyter import BESIDE_A_PROXY
from proxy.symptoms.model import SYMPTOMS, Symptom, joined, mend


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


@pytest.mark.parametrize("symptom", ["host-refused", "origin-refused"])
def test_jupyter_is_told_no_name_that_it_knows_already(symptom: str) -> None:
    for domain in ("localhost", "127.0.0.1"):
        assert "jupyter" not in mend(symptom, {"domain": domain})
    assert (
        '["localhost", "lab.example.org"]'
        in mend(symptom, {"domain": "lab.example.org"})["jupyter"]
    )


@pytest.mark.parametrize(
    "domain", ["localhost", "lab.localhost", "127.0.0.1", "203.0.113.7", "::1"]
)
def test_acme_is_only_for_public_names(domain: str) -> None:
    assert "[acme]" in mend("certificate", {"domain": "lab.example.org"})["labgate"]
    lines = mend("certificate", {"domain": domain})["labgate"]
    assert "acme" not in lines
    assert "[tls]" in lines


def test_a_jupyter_that_labgate_launches_needs_no_address() -> None:
    """With one in labgate.toml labgate would not launch it any more."""
    facts = {"upstream": "127.0.0.1:39211", "domain": "localhost"}
    assert 'url = "http://127.0.0.1:39211/"' in mend("upstream-down", facts)["labgate"]
    lines = mend("upstream-down", facts | {"launched": "yes"})
    assert "`labgate logs`" in lines["labgate"]
    assert all(line.startswith("#") for line in lines["labgate"].splitlines())
    assert "proxy_pass http://127.0.0.1:39211;" in lines["nginx"]


def test_jupyters_lines_say_how_they_go_with_those_of_a_proxy() -> None:
    both = {name for name in LINES["jupyter"] if name in LINES["nginx"]}
    assert both - set(BESIDE_A_PROXY) == set()
    assert set(BESIDE_A_PROXY) <= set(LINES["jupyter"])
    for name, how in BESIDE_A_PROXY.items():
        assert how.startswith(("Or", "And"))
        assert joined(name, "jupyter") == how
        assert joined(name, "nginx") == ""

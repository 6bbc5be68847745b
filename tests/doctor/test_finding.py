"""The JSON of a report has exactly the shape that scripts read."""

from __future__ import annotations

from proxy.doctor.finding import Finding, Report
from proxy.symptoms.model import SYMPTOMS, mend


def test_the_shape() -> None:
    facts = {"domain": "lab.example.org"}
    finding = Finding("origin-refused", "Origin", "POST /login", "404 Not Found", facts)
    report = Report("https://lab.example.org/", [finding], ["certificate"], {"upload": "why"})
    assert report.as_json() == {
        "url": "https://lab.example.org/",
        "findings": [
            {
                "id": "origin-refused",
                "severity": "error",
                "field": "Origin",
                "sent": "POST /login",
                "received": "404 Not Found",
                "check": SYMPTOMS["origin-refused"].check,
                "mend": mend("origin-refused", facts),
            }
        ],
        "passed": ["certificate"],
        "not_tried": {"upload": "why"},
    }
    assert type(report.as_json()["findings"][0]["severity"]) is str

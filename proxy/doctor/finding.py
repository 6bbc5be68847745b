"""What the doctor found, and its report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy.symptoms.model import SYMPTOMS, Symptom, mend


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the evidence.

    Attributes:
        id: The identifier of its symptom.
        field: The header field, or the part of a request, that is at fault; empty if none is.
        sent: What was asked, without secrets.
        received: What came back, without secrets.
        facts: What ``mend`` fills into its lines; see ``proxy.symptoms.model.mend``. And
            ``certificate``, in PEM form, where only its issuer is not known.
    """

    id: str
    field: str
    sent: str
    received: str
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def symptom(self) -> Symptom:
        return SYMPTOMS[self.id]

    @property
    def mends(self) -> dict[str, str]:
        """Lines to paste, by the name of the server they are for."""
        return mend(self.id, self.facts)

    def as_json(self) -> dict[str, Any]:
        """As ``labgate doctor --json`` prints it."""
        return {
            "id": self.id,
            "severity": str(self.symptom.severity),
            "field": self.field,
            "sent": self.sent,
            "received": self.received,
            "check": self.symptom.check,
            "mend": self.mends,
        }


@dataclass(slots=True)
class Report:
    """The result of one run of the doctor.

    Attributes:
        url: The address that was examined, without secrets.
        findings: A wrong token or password first, then the worst, then as the probes ran; no
            identifier twice.
        passed: The names of the probes that found nothing.
        untried: The probes that were not run, with the reason.
        server: The proxy that was recognised, as ``mend`` names it; empty if none was.
        perhaps: Whether it may be another one.
    """

    url: str
    findings: list[Finding] = dataclasses.field(default_factory=list)
    passed: list[str] = dataclasses.field(default_factory=list)
    untried: dict[str, str] = dataclasses.field(default_factory=dict)
    server: str = ""
    perhaps: bool = False

    def as_json(self) -> dict[str, Any]:
        """As ``labgate doctor --json`` prints it."""
        return {
            "url": self.url,
            "findings": [finding.as_json() for finding in self.findings],
            "passed": self.passed,
            "not_tried": self.untried,
        }

"""Runs the probes one after another, and removes what they made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from proxy.symptoms.model import Severity

from .examination import Examination, Impossible
from .finding import Finding, Report
from .judge.server import rate_limited, recognise
from .plan import PROBES, Probe

SEVERITIES = list(Severity)

Show = Callable[[Probe, "Finding | None", str], None]
"""Tells that a probe has ended: with a finding, or untried for a reason, or well."""


async def examine(
    examination: Examination,
    *,
    begins: Callable[[Probe], None] = lambda _: None,
    ended: Show = lambda *_: None,
    probes: tuple[Probe, ...] = PROBES,
) -> Report:
    """Run the probes; nothing that they made stays, also when it is cancelled.

    What could not be removed is in ``examination.left``.

    Args:
        examination: Whom to examine, and how.
        begins: Told before each probe.
        ended: Told after each probe, and of those that are not run.
        probes: All, unless fewer are wanted.

    Raises:
        StartError: The address is not the one to examine.
    """
    report = Report(str(examination.browser.target))
    blocked: set[str] = set()
    answers = examination.browser.answers
    try:
        for probe in probes:
            found, reason = None, probe.left_out(examination)
            needs = [need for need in probe.needs if need in blocked]
            if report.findings and report.findings[-1].id == "rate-limited":
                reason = "too many requests"
            elif needs:
                reason = f"needs {needs[0]}"
                blocked.add(probe.name)
            elif not reason:
                begins(probe)
                before = len(answers)
                try:
                    found = await probe.run(examination)
                    found = rate_limited(answers[before:]) or found
                except Impossible as impossible:
                    reason = examination.browser.secrets.removed_from(str(impossible))
                    blocked.add(probe.name)
            if found is not None:
                blocked.add(probe.name)
                found = _complete(examination, found)
                if found.id not in [one.id for one in report.findings]:
                    report.findings.append(found)
            elif reason:
                report.untried[probe.name] = reason
            else:
                report.passed.append(probe.name)
            ended(probe, found, reason)
        report.findings.sort(key=lambda found: SEVERITIES.index(found.symptom.severity))
        report.server = recognise(examination.browser.answers)
    finally:
        examination.left = await asyncio.shield(examination.belongings.remove())
        if examination.channel is not None:
            await examination.channel.close()
    return report


def _complete(examination: Examination, found: Finding) -> Finding:
    """The finding with facts for its mends, and certainly without secrets."""
    target, secrets = examination.browser.target, examination.browser.secrets
    facts = {"domain": target.host, "port": str(target.port), "path": f"{target.base}/"}
    facts["scheme"] = target.scheme
    if examination.direct is not None and not examination.direct.target.socket:
        facts["upstream"] = examination.direct.target.authority
    return replace(
        found,
        sent=secrets.removed_from(found.sent),
        received=secrets.removed_from(found.received),
        facts=facts | dict(found.facts),
    )

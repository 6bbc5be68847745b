"""Runs the probes one after another, and removes what they made.

Tested by tests/doctor/test_secrets.py and tests/doctor/test_servers.py.
"""

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

INTERRUPTED = "it was interrupted"
"""Why a probe was not run that would have come after a cancellation."""

Show = Callable[[Probe, "Finding | None", str], None]
"""Tells that a probe has ended: with a finding, or untried for a reason, or well."""


async def examine(
    examination: Examination,
    *,
    begins: Callable[[Probe], None] = lambda _: None,
    ended: Show = lambda *_: None,
    probes: tuple[Probe, ...] = PROBES,
    report: Report | None = None,
) -> Report:
    """Run the probes, and remove what they made, also when it is cancelled.

    What may be there still is in ``examination.left``: because Jupyter hangs, or because this was
    cancelled once more while it removed.

    Args:
        examination: Whom to examine, and how.
        begins: Told before each probe.
        ended: Told after each probe, and of those that are not run.
        probes: All, unless fewer are wanted.
        report: An empty one to fill, for whom it must be there after a cancellation, too.

    Raises:
        StartError: The address is not the one to examine.
    """
    report = report or Report(str(examination.browser.target))
    tried: set[str] = set()
    blocked: set[str] = set()
    try:
        for probe in probes:
            found: list[Finding] = []
            reason = probe.left_out(examination)
            needs = [need for need in probe.needs if need in blocked]
            if report.findings and report.findings[-1].id == "rate-limited":
                reason = "too many requests"
            elif needs:
                reason = f"needs {needs[0]}"
                blocked.add(probe.name)
            elif not reason:
                begins(probe)
                found, reason = await _tried(probe, examination)
                if found or reason:
                    blocked.add(probe.name)
            if reason:
                report.untried[probe.name] = reason
            elif not found:
                report.passed.append(probe.name)
            for one in found:
                if one.id not in [known.id for known in report.findings]:
                    report.findings.append(one)
                ended(probe, one, "")
            if not found:
                ended(probe, None, reason)
            tried.add(probe.name)
    except asyncio.CancelledError:
        names = [probe.name for probe in probes if probe.name not in tried]
        report.untried |= dict.fromkeys(names, INTERRUPTED)
        raise
    finally:
        report.findings.sort(key=_rank)
        recognised = recognise(examination.browser.answers)
        report.server, report.perhaps = recognised.server, recognised.perhaps
        await _remove_belongings(examination)
    return report


async def _remove_belongings(examination: Examination) -> None:
    """Remove what the probes made, and note what stays."""
    try:
        if not examination.at_once:
            examination.removing = True
            await examination.belongings.remove()
            if examination.channel is not None:
                await examination.channel.close()
    finally:
        examination.removing = False
        examination.left = examination.belongings.left


async def _tried(probe: Probe, examination: Examination) -> tuple[list[Finding], str]:
    """What a probe found, or why it could not be run."""
    browser = examination.browser
    before = len(browser.answers)
    try:
        found = await probe.run(examination)
    except Impossible as impossible:
        return [], browser.secrets.removed_from(str(impossible))
    found = rate_limited(browser.answers[before:]) or found
    besides, examination.besides = examination.besides, []
    return [_complete(examination, one) for one in (*besides, found) if one is not None], ""


def _rank(finding: Finding) -> tuple[bool, int]:
    """What is to be mended first: what the person who asks got wrong, then the worst."""
    return finding.id != "login-refused", SEVERITIES.index(finding.symptom.severity)


def _complete(examination: Examination, found: Finding) -> Finding:
    """The finding with facts for its mends, and certainly without secrets."""
    target, secrets = examination.browser.target, examination.browser.secrets
    facts = {"domain": target.host, "port": str(target.port), "path": f"{target.base}/"}
    facts["scheme"] = target.scheme
    facts.update(examination.facts)
    if examination.direct is not None and not examination.direct.target.socket:
        facts["upstream"] = examination.direct.target.authority
    return replace(
        found,
        sent=secrets.removed_from(found.sent),
        received=secrets.removed_from(found.received),
        facts=facts | dict(found.facts),
    )

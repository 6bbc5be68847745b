"""Asks Jupyter directly about what was found behind the proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .examination import Examination
from .examine import examine
from .finding import Finding, Report
from .plan import PROBES, Probe

EDGE_ONLY = frozenset({"address", "certificate", "redirect", "two-hosts", "cookie-flags"})
"""Probes that say nothing about Jupyter."""


async def compare(report: Report, direct: Examination, found_by: Mapping[str, str]) -> Report:
    """Say of each finding whether Jupyter itself, without the proxy, shows it, too.

    Of what only a proxy can do, nothing is said: Jupyter was not asked.

    Args:
        report: What was found behind the proxy.
        direct: An examination of Jupyter itself.
        found_by: The names of the probes that found something, by the finding's identifier.
    """
    asked = await examine(direct, probes=_with_needs({"jupyter", *found_by.values()} - EDGE_ONLY))
    same = {finding.id: finding for finding in asked.findings}
    gone = same.get("unreachable") or same.get("upstream-down")
    findings = [
        finding
        if found_by[finding.id] in EDGE_ONLY and gone is None
        else _compared(finding, same, gone, asked)
        for finding in report.findings
    ]
    return replace(report, findings=findings)


def _with_needs(names: set[str]) -> tuple[Probe, ...]:
    """The probes of these names and those that they need, in the order of the plan."""
    wanted: set[str] = set()
    for probe in reversed(PROBES):
        if probe.name in names or probe.name in wanted:
            wanted |= {probe.name, *probe.needs}
    return tuple(probe for probe in PROBES if probe.name in wanted)


def _compared(
    finding: Finding, same: dict[str, Finding], gone: Finding | None, asked: Report
) -> Finding:
    address = asked.url.rstrip("/")
    if gone is not None:
        text = f"Jupyter itself is not there either: {gone.received} at {address}"
    elif finding.id in same:
        text = f"{address} does the same without the proxy, so Jupyter itself is to be changed"
    elif same:
        text = f"{address}, asked without the proxy, shows {', '.join(same)}"
    else:
        text = f"{address}, asked without the proxy, does it right"
    return replace(finding, received=f"{finding.received.rstrip('.')}. {text}")

"""What ``labgate doctor`` shows: each probe while it runs, then the findings.

Tested by tests/cli/test_doctor_report.py and tests/doctor/test_configurations.py.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.status import Status
from rich.text import Text

from proxy.cli.doctor_advice import advice
from proxy.cli.doctor_authority import signed_by
from proxy.cli.doctor_unreachable import remedy
from proxy.cli.folded import folded
from proxy.doctor.examine import INTERRUPTED
from proxy.doctor.finding import Finding, Report
from proxy.doctor.plan import PLAIN_HTTP, Probe
from proxy.symptoms.mends.labgate import BEHIND_A_PROXY
from proxy.symptoms.model import Severity, joined

NAMES = {
    "nginx": "nginx",
    "caddy": "the Caddyfile",
    "traefik": "Traefik",
    "haproxy": "haproxy.cfg",
    "apache": "Apache",
    "jupyter": "jupyter_server_config.py",
    "labgate": "labgate.toml",
}
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold"}
MAX_COLUMNS = 100
TAKE_OUT = "# Take out: "
"""Begins a line of a mend that says what has to go."""
NEEDS = "needs "
"""How the reason begins why a probe waits for another one."""
LABEL_COLUMNS = 10


class Progress:
    """One line a probe on standard error, and the running one with a spinner.

    Args:
        visible: False where nobody looks: nothing is shown then.
    """

    def __init__(self, *, visible: bool) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._visible = visible

    def begins(self, probe: Probe) -> None:
        """A probe is run."""
        self.says(f"{probe.title} …")

    def says(self, text: str) -> None:
        """What is done now."""
        if not self._visible:
            return
        if self._status is None:
            self._status = self._console.status(Text(text))
            self._status.start()
        self._status.update(Text(text))

    def ended(self, probe: Probe, found: Finding | None, reason: str) -> None:
        """A probe has ended."""
        if not self._visible:
            return
        if found is not None:
            mark, style, more = "✗", _STYLES[found.symptom.severity], found.id
        elif reason.startswith(NEEDS):
            return
        elif reason:
            mark, style, more = "·", "dim", reason
        else:
            mark, style, more = "✓", "green", ""
        line = Text.assemble("  ", (mark, style), f" {probe.title:36}", (more, style))
        line.rstrip()
        line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line)

    def pause(self) -> None:
        """Make room for a question."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    close = pause


@dataclass(frozen=True, slots=True)
class MendsShown:
    """Whose lines to paste are printed.

    Attributes:
        wanted: The server, ``all``, or empty for the one in front, which says who it is.
        silent: Those that may be in front where nothing answers; empty if it may be any, and None
            for the labgate of this machine, which does not run.
        authority: Where the development CA of this machine is, if it has one.
    """

    wanted: str = ""
    silent: tuple[str, ...] | None = ()
    authority: Path | None = None

    def signs(self, finding: Finding) -> bool:
        """Whether the certificate at fault is from the development CA of this machine."""
        certificate = finding.facts.get("certificate", "")
        return self.authority is not None and signed_by(self.authority, certificate)

    def servers(self, finding: Finding, recognised: str) -> tuple[str, ...]:
        """Those with lines for this finding; the others are named after them."""
        wanted: tuple[str, ...] = (self.wanted or recognised,)
        if finding.id in BEHIND_A_PROXY and wanted != ("all",):
            # labgate has refused; who is in front of it may not say its name.
            wanted = tuple(dict.fromkeys((*filter(None, wanted), "labgate")))
        if not self.wanted and self.signs(finding):
            return ()
        if finding.id == "unreachable" and not any(wanted):
            if advice(finding):
                return ()
            if self.silent is None:
                return ()
            wanted = self.silent
        if wanted != ("all",):
            shown = tuple(name for name in (*wanted, "jupyter") if name in finding.mends)
            if set(shown) & set(wanted):
                return tuple(dict.fromkeys(shown))
        return tuple(finding.mends)


def print_report(report: Report, shown: MendsShown) -> None:
    """Print the findings; lines to paste are never folded, and begin at the margin.

    Args:
        report: What was found.
        shown: Whose lines.
    """
    console = Console(highlight=False, soft_wrap=True)
    columns = min(shutil.get_terminal_size().columns, MAX_COLUMNS)
    console.print()
    for number, finding in enumerate(report.findings, 1):
        _print_finding(console, number, finding, columns)
        servers = shown.servers(finding, report.server)
        signed = shown.signs(finding)
        if signed:
            trust = "Import the development CA of this labgate in browsers; to go on here:"
            _print_labelled(console, "Mend", trust, columns)
            console.print()
            console.out(f"--ca {quote(str(shown.authority))}\n", highlight=False)
        first = advice(finding)
        if first:
            _print_labelled(console, "Mend", first, columns)
            console.print()
        if servers:
            doubtful = report.server if report.perhaps and not shown.wanted else ""
            _print_mends(console, finding, servers, columns, doubtful)
        elif first:
            continue
        elif finding.id == "unreachable" and shown.silent is not None:
            _print_labelled(console, "Mend", remedy(finding.facts), columns)
            console.print()
        elif not signed:
            start = "Start one with `labgate up`, or name the address: `labgate doctor URL`."
            _print_labelled(console, "Mend", start, columns)
            console.print()
    trustable = any(shown.signs(finding) for finding in report.findings)
    for sentence in _summary(report, trustable=trustable):
        for line in folded(sentence, columns):
            console.print(Text(line))


def _print_finding(console: Console, number: int, finding: Finding, columns: int) -> None:
    style = _STYLES[finding.symptom.severity]
    title = f"\n{' ' * 3}".join(folded(f"{finding.symptom.title}.", columns - 3))
    console.print(Text(f"{number}. {title}", style))
    for label, value in (
        ("Found", ", ".join([f"{finding.id} ({finding.symptom.severity})", *_fault(finding)])),
        ("Sent", finding.sent),
        ("Received", finding.received),
        ("Why", finding.symptom.check),
    ):
        _print_labelled(console, label, value, columns)
    console.print()


def _print_labelled(console: Console, label: str, text: str, columns: int) -> None:
    for line in folded(text, columns - 3 - LABEL_COLUMNS):
        console.print(Text.assemble("   ", (f"{label:{LABEL_COLUMNS}}", "dim"), line))
        label = ""


def _fault(finding: Finding) -> list[str]:
    return [f"at fault: {finding.field}"] if finding.field else []


def _print_mends(
    console: Console, finding: Finding, shown: tuple[str, ...], columns: int, doubtful: str
) -> None:
    """The lines for some servers, of which ``doubtful`` may not be the one in front."""
    mends = finding.mends
    for name in shown:
        how = joined(finding.id, name) if name != shown[0] else "Or" if advice(finding) else ""
        where = f"if this is {NAMES[name]}" if name == doubtful else f"in {NAMES.get(name, name)}"
        console.print(Text(f"   {how or 'Mend,'} {where}:", "bold"))
        console.print()
        # At the margin, because Python and YAML would mind spaces in front.
        for line in _fitted(mends[name].rstrip(), columns):
            console.out(line, highlight=False)
        console.print()
    others = [name for name in mends if name not in shown]
    if others:
        console.print(Text(f"   For others: --mend-for {', '.join(others)} or all", "dim"))
        console.print()


def _fitted(lines: str, columns: int) -> Iterator[str]:
    """The lines to print: comments that are too long are folded anew, all others are whole."""
    waiting = lines.splitlines()
    while waiting:
        line = waiting.pop(0)
        indent = line[: len(line) - len(line.lstrip())]
        mark = f"{indent}# "
        if not line.startswith(mark) or len(line) <= columns:
            yield line
            continue
        comment = [line.removeprefix(mark)]
        while waiting and waiting[0].startswith(mark) and TAKE_OUT not in waiting[0]:
            comment.append(waiting.pop(0).removeprefix(mark))
        yield textwrap.fill(
            " ".join(comment),
            columns,
            initial_indent=mark,
            subsequent_indent=mark,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _summary(report: Report, *, trustable: bool) -> list[str]:
    """How much was tried, and what to do next.

    Args:
        report: What was found.
        trustable: Whether it was said already how to trust the certificate at fault.
    """
    waiting = [name for name, why in report.untried.items() if why.startswith(NEEDS)]
    interrupted = [name for name, why in report.untried.items() if why == INTERRUPTED]
    if not report.findings:
        passed = len(report.passed)
        lines = [f"Nothing is wrong at {report.url} ({passed} probes)."]
        if waiting or interrupted:
            others = sum(why != PLAIN_HTTP for why in report.untried.values())
            so_far = f"Nothing is wrong at {report.url} so far ({passed} probes)"
            lines = [f"{so_far}, but {others} of {passed + others} probes were not tried."]
    else:
        ids = [finding.id for finding in report.findings]
        lines = [f"Found at {report.url}: {', '.join(ids)}."]
        if waiting:
            more = "another probe waits" if len(waiting) == 1 else f"{len(waiting)} probes wait"
            lines.append(f"Mend that and run labgate doctor again: {more} until then.")
        if "certificate" in ids and not trustable:
            lines.append("To go on with this certificate: --ca FILE with its CA, or --insecure.")
    reasons = [why for why in report.untried.values() if why != PLAIN_HTTP]
    asked = [why for why in reasons if not why.startswith(NEEDS)]
    if asked and (interrupted or not report.findings or not waiting):
        more = f", and so {len(waiting)} probes that need it" if waiting else ""
        lines.append(f"Not tried: {'; '.join(dict.fromkeys(asked))}{more}.")
    return lines

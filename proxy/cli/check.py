"""``labgate check``: everything that would keep labgate from serving, at once."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from rich.console import Console
from rich.text import Text

from proxy.check.everything import check_everything
from proxy.check.verdict import Level, Verdict, fault, remark
from proxy.cli.shown_settings import shown_settings
from proxy.config.effects import ineffective_keys, ineffective_options
from proxy.config.settings import Settings
from proxy.config.spelling import as_typed
from proxy.config.valid_part import ValidPart, valid_part

SUBJECT = "Configuration"
LAUNCHES_AND_SERVES = (
    "upstream.url names a Jupyter that runs already, and jupyter.launch launches another: leave "
    "one of them out."
)
MARKS = {Level.GOOD: ("✓", "green"), Level.REMARK: ("!", "yellow"), Level.FAULT: ("✗", "bold red")}


def check(parsed: argparse.Namespace) -> int:
    """Print what was found; 1 if there is a fault."""
    read = valid_part(parsed.flags, os.environ, parsed.config, parsed.typed)
    if parsed.show:
        return _show(read)
    faults = asyncio.run(_print_all(read, parsed))
    if faults:
        print(f"\n{faults} fault{'s' if faults > 1 else ''}. Mend what has a ✗, and check again.")
        return 1
    print("\nNothing is wrong.")
    return 0


async def _print_all(read: ValidPart, parsed: argparse.Namespace) -> int:
    """Print every verdict as it is known; returns the number of faults."""
    console = Console(highlight=False, soft_wrap=True)
    faults = 0

    def show(verdict: Verdict) -> None:
        nonlocal faults
        faults += verdict.level is Level.FAULT
        mark, style = MARKS[verdict.level]
        text = as_typed(verdict.text, parsed.typed)
        console.print(Text.assemble((f"{mark} ", style), (f"{verdict.subject:<13} ", "bold"), text))

    for verdict in _configuration(read, parsed):
        show(verdict)
    if read.settings is not None:
        async for verdict in check_everything(read.settings):
            show(verdict)
    else:
        print("The rest is looked at when these are mended.")
    return faults


def _configuration(read: ValidPart, parsed: argparse.Namespace) -> list[Verdict]:
    verdicts = [fault(SUBJECT, problem) for problem in read.problems]
    settings = read.settings
    if settings is not None:
        verdicts += [fault(SUBJECT, said) for said in ineffective_options(settings, parsed.typed)]
        launches = not settings.upstream.url and settings.site_has_jupyter
        remarks = ineffective_keys(settings, parsed.typed, launches=launches)
        verdicts += [remark(SUBJECT, said) for said in remarks]
        if launches_and_serves(settings):
            verdicts.append(fault(SUBJECT, LAUNCHES_AND_SERVES))
    if not verdicts:
        given = [source for source, values in read.sources if values]
        verdicts.append(Verdict(SUBJECT, f"from {', '.join(given) or 'defaults alone'}"))
    return verdicts


def launches_and_serves(settings: Settings) -> bool:
    """Whether the keys contradict each other for ``up`` and ``serve`` alike."""
    named = "launch" in settings.jupyter.model_fields_set
    return bool(settings.upstream.url) and named and settings.jupyter.launch != "none"


def _show(read: ValidPart) -> int:
    """Print the configuration in force; problems go to standard error."""
    for problem in read.problems:
        print(f"labgate: {problem}", file=sys.stderr)
    if read.settings is not None:
        print("\n".join(shown_settings(read.settings, read.sources)).rstrip())
    return 1 if read.problems else 0

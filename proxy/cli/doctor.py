"""``labgate doctor``: reads secrets, runs the examination, and prints what it found.

Tested by tests/cli/test_doctor.py and tests/doctor/test_servers.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from proxy.certs.development_ca import authority_file
from proxy.cli.ask_secret import ask_secret
from proxy.cli.confirm import confirm_on_terminal
from proxy.cli.doctor_address import FoundAddress, facts_of_running, find_address
from proxy.cli.doctor_left import told_left
from proxy.cli.doctor_report import MendsShown, Progress, print_report
from proxy.cli.doctor_servers import servers_here
from proxy.config.load import load
from proxy.doctor.browser import Browser
from proxy.doctor.compare import compare
from proxy.doctor.examination import LONG_SILENCE_SECONDS, Credentials, Examination
from proxy.doctor.examine import examine
from proxy.doctor.finding import Finding, Report
from proxy.doctor.plan import Probe
from proxy.doctor.target import Target, read_target
from proxy.errors import StartError, UsageError
from proxy.service.state_folder import find_state_folder, instance_folder

TOKEN_VARIABLE = "LABGATE_DOCTOR_TOKEN"  # noqa: S105  its name
PASSWORD_VARIABLE = "LABGATE_DOCTOR_PASSWORD"  # noqa: S105  its name


def doctor(parsed: argparse.Namespace) -> int:
    """Examine the address; 0 if nothing is wrong, 1 if something is, 128 and a signal's number.

    Raises:
        StartError: It cannot be examined.
    """
    found = None if parsed.url else _take_found_address(parsed)
    target, token = read_target(parsed.url)
    credentials = read_credentials(parsed, token, os.environ)
    direct = read_target(parsed.upstream)[0] if parsed.upstream else None
    facts = found.facts if found is not None else _known_facts(parsed.config, target)
    trust = trust_of(parsed.ca, insecure=parsed.insecure)
    shown = _mends_shown(parsed, found)
    run = _Run(parsed, target, direct, credentials, trust, facts=facts, shown=shown)
    return asyncio.run(run.run())


def _known_facts(config: Path | None, target: Target) -> Mapping[str, str]:
    """What the labgate that runs here knows, if the address is its own."""
    return asyncio.run(facts_of_running(find_state_folder(config), target))


def _mends_shown(parsed: argparse.Namespace, found: FoundAddress | None) -> MendsShown:
    """Whose lines are printed; where nothing answers, those of what may stand there."""
    if found is not None:
        return MendsShown(parsed.mend_for, silent=("labgate",) if found.runs else None)
    authority = authority_file(find_state_folder(parsed.config))
    here = servers_here(read_target(parsed.url)[0].host)
    return MendsShown(parsed.mend_for, silent=here, authority=authority)


def _take_found_address(parsed: argparse.Namespace) -> FoundAddress:
    """Say which address is examined; its CA and token are used unless others are given.

    Raises:
        StartError: The labgate that runs here may not be asked.
    """
    settings = load(parsed.flags, file=parsed.config, typed=parsed.typed)
    found = asyncio.run(find_address(instance_folder(settings)))
    _warn(found.said)
    parsed.url = found.url
    parsed.ca = parsed.ca or found.authority
    secrets = (parsed.token, parsed.token_file, parsed.password, parsed.password_file)
    if not any(secrets) and not {TOKEN_VARIABLE, PASSWORD_VARIABLE} & os.environ.keys():
        parsed.token_file = found.token_file
    return found


def read_credentials(
    parsed: argparse.Namespace, in_url: str, environment: Mapping[str, str]
) -> Credentials:
    """The token and the password from flags, files, the address, or the environment.

    Raises:
        StartError: A file cannot be read.
    """
    if parsed.token or in_url:
        given = "--token" if parsed.token else "the address"
        _warn(
            f"The token in {given} can be seen by others on this machine, and stays in the shell's "
            f"history. Better: --token-file FILE, {TOKEN_VARIABLE}, or none: it is asked for."
        )
    token = parsed.token or _secret_in(parsed.token_file) or in_url
    password = _secret_in(parsed.password_file)
    if parsed.password and not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    return Credentials(
        token or environment.get(TOKEN_VARIABLE, ""),
        password or environment.get(PASSWORD_VARIABLE, ""),
    )


def _secret_in(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise StartError(f"{file}: not UTF-8 text.") from None
    except OSError as error:
        raise StartError(f"{file}: cannot be read: {error.strerror}.") from None


def trust_of(authority: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """The certificates that are trusted: the system's, and those of ``authority``.

    Raises:
        UsageError: It is no file of certificates.
    """
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if authority is not None:
        try:
            context.load_verify_locations(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"--ca {authority}: no certificates in PEM form: {error}.") from None
    return context


STOPPING = "Stopping; what was made in Jupyter is removed. Ctrl-C again ends at once …"


class _Run:
    """One run: what was asked for, and what the person at the terminal sees meanwhile."""

    def __init__(
        self,
        parsed: argparse.Namespace,
        target: Target,
        direct: Target | None,
        credentials: Credentials,
        trust: ssl.SSLContext,
        *,
        facts: Mapping[str, str],
        shown: MendsShown,
    ) -> None:
        self._shown = shown
        self._parsed, self._target, self._direct = parsed, target, direct
        self._credentials, self._trust, self._facts = credentials, trust, facts
        self._progress = Progress(visible=sys.stderr.isatty())
        self._signal = 0
        self._report = Report(str(target))
        self._examining: Examination | None = None

    async def run(self) -> int:
        """The exit code."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, task, number)
        try:
            self._report = await self._examined()
        except asyncio.CancelledError:
            pass  # what was found so far is printed
        finally:
            self._progress.close()
        if self._parsed.json:
            print(json.dumps(self._report.as_json(), indent=2, ensure_ascii=False))
        else:
            print_report(self._report, self._shown)
        if self._signal:
            return 128 + self._signal
        return 1 if self._report.findings else 0

    def _stop(self, task: asyncio.Task[Any], number: signal.Signals) -> None:
        """Stop and remove what was made; when it is said again, stop removing, too."""
        again, self._signal = bool(self._signal), number
        removing = self._examining is not None and self._examining.removing
        if again:
            if self._examining is not None:
                self._examining.at_once = True
            if removing:
                task.cancel()
            return
        self._progress.says(STOPPING)
        if not removing:
            task.cancel()

    async def _examined(self) -> Report:
        report = self._report
        async with AsyncExitStack() as open_:
            browser = await open_.enter_async_context(self._browser(self._target))
            direct = None
            if self._direct is not None:
                direct = await open_.enter_async_context(self._browser(self._direct))
            examination = self._examination(browser, direct)
            found_by: dict[str, str] = {}

            def ended(probe: Probe, found: Finding | None, reason: str) -> None:
                self._progress.ended(probe, found, reason)
                if found is not None:
                    found_by.setdefault(found.id, probe.name)

            try:
                await examine(examination, begins=self._progress.begins, ended=ended, report=report)
                if direct is not None and report.findings and not self._signal:
                    self._progress.says("Asking Jupyter directly …")
                    again = self._examination(direct, None)
                    again.know(examination.credentials)
                    try:
                        report = await compare(report, again, found_by)
                    finally:
                        self._tell_left(again)
            finally:
                self._tell_left(examination)
            return report

    def _tell_left(self, examination: Examination) -> None:
        """Say what stayed in Jupyter, and how to remove it."""
        if examination.left:
            self._progress.pause()
        for line in told_left(examination.left, examination.browser.target):
            _warn(line)

    def _browser(self, target: Target) -> Browser:
        return Browser(target, self._trust if target.tls else None)

    def _examination(self, browser: Browser, direct: Browser | None) -> Examination:
        parsed = self._parsed
        plain_http = parsed.http_port
        if plain_http is None and browser.target.tls and browser.target.port == 443:
            plain_http = 80
        self._examining = Examination(
            browser,
            self._credentials,
            direct,
            plain_http=plain_http,
            trusted=not parsed.insecure,
            silence_seconds=LONG_SILENCE_SECONDS if parsed.long else 0,
            ask=self._ask if confirm_on_terminal() is not None else None,
            facts=self._facts,
        )
        return self._examining

    async def _ask(self) -> str:
        self._progress.pause()
        kind = "Password" if self._parsed.password else "Token or password"
        return await ask_secret(f"{kind} of this Jupyter (Enter: none): ")


def _warn(sentence: str) -> None:
    print(f"labgate: {sentence}", file=sys.stderr)

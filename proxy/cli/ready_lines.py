"""The lines that are printed when everything is ready."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from proxy.cli.folded import folded
from proxy.config.routes import served_routes
from proxy.config.settings import Settings
from proxy.jupyter.launcher import Launched, Login
from proxy.jupyter.login_token import TOKEN_FILE_NAME
from proxy.runtime.log_format import facts

log = logging.getLogger("labgate")

_SYSTEM_STORE = "/usr/local/share/ca-certificates"
_MAC_KEYCHAIN = "/Library/Keychains/System.keychain"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the lines.

    Attributes:
        terminal: A person at the terminal that they are printed on. Otherwise they may be kept
            for long and read by many, as a service's log is: they then hold no secret.
        interactive: A person started labgate, and can press Ctrl-C.
        system: ``sys.platform``.
    """

    terminal: bool
    interactive: bool
    system: str = sys.platform


def ready_lines(
    settings: Settings, jupyter: Launched | None, authority: Path | None, reader: Reader
) -> list[tuple[str, str]]:
    """Label and text of every line; a line without a label continues the previous one.

    Args:
        settings: The configuration.
        jupyter: The site's; None if all are in ``[[routes]]``.
        authority: The development CA's certificate; None if there is none.
        reader: Who reads them.
    """
    lines = _of_jupyter(settings, jupyter, reader) if jupyter is not None else []
    lines += [
        ("Route", f"{route.public_address} leads to {route.address}")
        for route in served_routes(settings)
    ]
    if not settings.listen.tls:
        where = f"plain HTTP on port {settings.http_port}; TLS ends in front of labgate"
        lines.append(("Serving", where))
    if authority is not None:
        lines.append(("Trust", f"browsers warn until they trust {authority}"))
        if reader.terminal:
            lines += [("", line) for line in _how_to_trust(authority, reader.system)]
    lines.append(("Stop", _stop(jupyter, reader)))
    return lines


def _of_jupyter(settings: Settings, jupyter: Launched, reader: Reader) -> list[tuple[str, str]]:
    """The site's own Jupyter."""
    origin, base_path, login = settings.origins[0], jupyter.address.base_path, jupyter.login
    address = f"{origin}{base_path}lab"
    if login.kind == "token" and reader.terminal:
        address += f"?token={quote(login.token)}"
    lines = [
        ("Open", address),
        ("Log in", _login(login, settings.state_folder, reader)),
        ("Jupyter", _where(jupyter)),
    ]
    if jupyter.work_location:
        lines.append(("Work", jupyter.work_location))
    return lines


def _login(login: Login, state_folder: Path, reader: Reader) -> str:
    match login.kind:
        case "password":
            return "with the password whose hash is configured"
        case "unknown":
            return "with what this Jupyter was started with"
    if reader.terminal:
        return "with the token in that address"
    file = state_folder / TOKEN_FILE_NAME
    try:
        kept = file.read_text("ascii").strip() == login.token
    except (OSError, UnicodeDecodeError):
        kept = False
    return f"with the token in {file}" if kept else "with the token this Jupyter was started with"


def _how_to_trust(authority: Path, system: str) -> list[str]:
    """What to do on this system; its commands can be copied and run."""
    file = shlex.quote(str(authority))
    if system == "darwin":
        return [
            "In Firefox: Settings > Certificates > Authorities > Import",
            "For Safari, Chrome and curl:",
            "sudo security add-trusted-cert -d -r trustRoot \\",
            f"  -k {_MAC_KEYCHAIN} {file}",
        ]
    browser = "In the browser: Settings > Certificates > Authorities > Import"
    if not Path(_SYSTEM_STORE).is_dir():  # Debian, Ubuntu and similar
        return [browser, f"curl --cacert {file} …"]
    return [
        browser,
        "For curl and other programs on this machine:",
        f"sudo cp {file} \\",
        f"  {_SYSTEM_STORE}/labgate.crt &&",
        "sudo update-ca-certificates",
    ]


def _where(jupyter: Launched) -> str:
    if not jupyter.description:
        return str(jupyter.address)
    return f"{jupyter.description}, at {jupyter.address}"


def _stop(jupyter: Launched | None, reader: Reader) -> str:
    how = "Ctrl-C" if reader.interactive else "SIGTERM"
    if jupyter is None:
        return f"{how} stops labgate; the Jupyters go on"
    if jupyter.stopped_with_labgate:
        ends = f"Jupyter ({jupyter.stopped_with_labgate})"
        if jupyter.outlives_labgate and not reader.interactive:
            goes_on = f"{ends} goes on, and so do its kernels"
            return f"{how} stops labgate; {goes_on}; `labgate stop` stops both"
        return f"{how} stops labgate and {ends}; files are kept, kernels end"
    return f"{how} stops labgate; Jupyter at {jupyter.address} goes on"


def print_progress(text: str) -> None:
    """Tell of progress: a terminal gets the line as it is, a log a line of its own form."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
    else:
        log.info("%s", text)


def print_ready(lines: list[tuple[str, str]], stream: TextIO | None = None) -> None:
    """Print the lines on a terminal; importing rich would take 0.05 s. A log gets one line.

    They are folded between words. Lines without a label may be commands, which people copy, and
    stay whole.

    Args:
        lines: Of ``ready_lines``.
        stream: Standard error by default.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        known = ready_facts(lines)
        text = " ".join(f"{name}={json.dumps(fact)}" for name, fact in known.items())
        log.info("ready: %s", text, extra=facts(**known))
        return
    lines = _folded(lines, shutil.get_terminal_size().columns)
    bold, cyan, plain = ("\033[1m", "\033[1;36m", "\033[0m") if _styled() else ("", "", "")
    shown = [""]
    for label, text in lines:
        styled = f"{cyan}{text}{plain}" if label == "Open" else text
        shown.append(f"{bold}  {label:<8} {plain}{styled}")
    print("\n".join(shown), end="\n\n", file=stream, flush=True)


def ready_facts(lines: list[tuple[str, str]]) -> dict[str, str]:
    """The lines as facts of one line of a log, each by its label: ``log_in`` for ``Log in``."""
    known: dict[str, str] = {}
    name = ""
    for label, text in lines:
        name = label.lower().replace(" ", "_") or name
        known[name] = f"{known[name]}; {text}" if name in known else text
    return known


def _folded(lines: list[tuple[str, str]], columns: int) -> list[tuple[str, str]]:
    """The lines, none longer than the terminal is wide unless a single word is."""
    width = columns - len(f"  {'':<8} ")
    shown: list[tuple[str, str]] = []
    for label, text in lines:
        first, *rest = folded(text, width) if label else [text]
        shown.append((label, first))
        shown += [("", part) for part in rest]
    return shown


def _styled() -> bool:
    """Whether the terminal has colours, and NO_COLOR is not set (no-color.org)."""
    dumb = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    return not dumb and not os.environ.get("NO_COLOR")

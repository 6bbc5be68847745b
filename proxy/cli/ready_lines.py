"""The lines printed once everything is ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from proxy.config.settings import Settings
from proxy.jupyter.launcher import Launched

_LOGIN = {
    "token": "with the token in that address",
    "password": "with the password whose hash is configured",
    "unknown": "with what this Jupyter was started with",
}


def ready_lines(
    settings: Settings, jupyter: Launched, authority: Path | None
) -> list[tuple[str, str]]:
    """Label and text of every line; no label continues the line before."""
    origin, base_path, login = settings.origins[0], jupyter.address.base_path, jupyter.login
    address = f"{origin}{base_path}lab"
    if login.kind == "token":
        address += f"?token={quote(login.token)}"
    lines = [("Open", address), ("Log in", _LOGIN[login.kind]), ("Jupyter", _where(jupyter))]
    if jupyter.work_location:
        lines.append(("Work", jupyter.work_location))
    if not settings.listen.tls:
        where = f"plain HTTP on port {settings.http_port}; TLS ends in front of labgate"
        lines.append(("Serving", where))
    if authority is not None:
        lines += [
            ("Trust", f"the browser warns until it trusts the development CA {authority}"),
            ("", f"curl --cacert {authority} {origin}{base_path}api"),
            ("", "browser: Settings > Certificates > Authorities > Import that file"),
            (
                "",
                f"Debian, Ubuntu: sudo cp {authority} /usr/local/share/ca-certificates/labgate.crt",
            ),
            ("", "                && sudo update-ca-certificates"),
            ("", "macOS: sudo security add-trusted-cert -d -r trustRoot"),
            ("", f"       -k /Library/Keychains/System.keychain {authority}"),
        ]
    lines.append(("Stop", _stop(jupyter)))
    return lines


def _where(jupyter: Launched) -> str:
    if not jupyter.description:
        return str(jupyter.address)
    return f"{jupyter.description}, at {jupyter.address}"


def _stop(jupyter: Launched) -> str:
    if jupyter.stopped_with_labgate:
        ends = f"Jupyter ({jupyter.stopped_with_labgate})"
        return f"Ctrl-C stops labgate and {ends}; files are kept, kernels end"
    return f"Ctrl-C stops labgate; Jupyter at {jupyter.address} goes on"


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_ready(lines: list[tuple[str, str]], stream: TextIO | None = None) -> None:
    """Print the lines, on standard error by default; rich would cost the start 0.05 s."""
    stream = stream or sys.stderr
    bold, cyan, plain = ("\033[1m", "\033[1;36m", "\033[0m") if _styled(stream) else ("", "", "")
    shown = [""]
    for label, text in lines:
        told = f"{cyan}{text}{plain}" if label == "Open" else text
        shown.append(f"{bold}  {label:<8} {plain}{told}")
    print("\n".join(shown), end="\n\n", file=stream, flush=True)


def _styled(stream: TextIO) -> bool:
    """A terminal that knows colours, whose owner has not declined them (no-color.org)."""
    dumb = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("NO_COLOR")

"""The lines printed once everything is ready."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from proxy.jupyter.launcher import Login
from proxy.settings import Settings

_LOGIN = {
    "token": "with the token in that address",
    "password": "with the password whose hash is configured",
    "unknown": "with what this Jupyter was started with",
}


def ready_lines(
    settings: Settings, jupyter: str, login: Login, base_path: str, authority: Path | None
) -> list[tuple[str, str]]:
    """Label and text of every line; no label continues the line before."""
    origin = settings.origins[0]
    address = f"{origin}{base_path}lab"
    if login.kind == "token":
        address += f"?token={quote(login.token)}"
    lines = [("Open", address), ("Log in", _LOGIN[login.kind]), ("Jupyter", jupyter)]
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
    lines.append(("Stop", "Ctrl-C"))
    return lines


def print_ready(console: Console, lines: list[tuple[str, str]]) -> None:
    """Print the lines; addresses are never wrapped, so that they can be copied."""
    console.print()
    for label, text in lines:
        line = Text.assemble((f"  {label:<8} ", "bold"), text)
        if label == "Open":
            line = Text.assemble((f"  {label:<8} ", "bold"), (text, "bold cyan"))
        console.print(line, soft_wrap=True, highlight=False)
    console.print()

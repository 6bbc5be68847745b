"""The output of ``labgate status``: a table at a terminal, otherwise one fact a line.

The status is what ``proxy.service.status`` describes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from proxy import __version__
from proxy.certs.status import SOON_DAYS
from proxy.cli.folded import folded
from proxy.service.state_text import count

StatusJson = dict[str, Any]
Line = tuple[str, str, str]
"""Label, text, and rich's style of the text."""


def print_status(status: StatusJson, now: datetime, console: Console | None = None) -> None:
    """Print the table; it is folded between words, so that an address can be copied whole."""
    console = console or Console(highlight=False)
    lines = lines_of(status, now)
    indent = max(len(label) for label, _, _ in lines) + 2
    for label, text, style in lines:
        for number, part in enumerate(folded(text, console.width - indent)):
            shown = "" if number else label
            line = Text.assemble((f"{shown:<{indent}}", "bold"), (part, style))
            console.print(line, soft_wrap=True)


def lines_of(status: StatusJson, now: datetime) -> list[Line]:
    """The lines for people, in their time zone."""
    service = f", service {status['service']}" if status["service"] else ""
    command = f"labgate {status['command']}{service}"
    process = f"process {status['pid']} of {status['user']}"
    since = _since(status["since"], now)
    lines = [
        ("labgate", f"{status['version']}, {process}, {command}, since {since}", ""),
        ("Address", ", ".join(status["addresses"]), "cyan"),
        ("Listening", ", ".join(status["listening"]), ""),
    ]
    if status["version"] != __version__:
        installed = (
            f"this command is of labgate {__version__}: `labgate upgrade` replaces what runs"
        )
        lines.append(("Upgrade", installed, "yellow"))
    if status["reload_refused"]:
        refused = f"refused, the configuration from before stays: {status['reload_refused']}"
        lines.append(("Reload", refused, "red"))
    if failed := status.get("reload_failed"):
        lines.append(("Reload", f"failed, a part of it may be in force: {failed}", "red"))
    if status["metrics"]:
        lines.append(("Metrics", f"http://{status['metrics']}/metrics", ""))
    if "hub_routes" in status:  # the proxy of a JupyterHub
        lines.append(("Routes", str(status["hub_routes"]), ""))
    elif status["jupyter"]["state"] != "in routes":
        lines.append(_jupyter(status["jupyter"], now))
    lines += _labelled("Routes", [_route(one) for one in status.get("routes", ())])
    lines.append(("Traffic", _traffic(status), ""))
    lines += _labelled("Certificate", [_certificate(one) for one in status["certificates"]])
    lines += _labelled("Locked out", [_lockout(one) for one in status["lockouts"]])
    lines += _labelled("Memory", _memory(status))
    lines += _labelled("Problems", [_problem(one) for one in status["problems"]])
    return lines


def fact_lines(status: StatusJson) -> list[str]:
    """A line ``key value`` for every fact, as ``certificates.0.days_left 61``."""
    return [f"{path} {_written(value)}".rstrip() for path, value in _facts("", status)]


def _facts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _facts(f"{path}.{key}" if path else key, below)
    elif isinstance(value, list) and value:
        for number, below in enumerate(value):
            yield from _facts(f"{path}.{number}", below)
    elif not isinstance(value, list):
        yield path, value


def _written(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labelled(label: str, texts: list[tuple[str, str]]) -> list[Line]:
    return [(label if not number else "", *text) for number, text in enumerate(texts)]


def _jupyter(jupyter: StatusJson, now: datetime) -> Line:
    where = f" at {jupyter['address']}" if jupyter["address"] else ""
    reason = f" ({jupyter['reason']})" if jupyter["reason"] else ""
    what = f"; {jupyter['description']}" if jupyter["description"] else ""
    # labgate does not know since when a Jupyter that it did not launch answers, or does not.
    known = jupyter["description"] and jupyter["state"] != "does not answer"
    since = f", since {_since(jupyter['since'], now)}" if known else ""
    text = f"{jupyter['state']}{where}{reason}{since}{what}"
    return ("Jupyter", text, "green" if jupyter["state"] == "answers" else "yellow")


def _route(route: StatusJson) -> tuple[str, str]:
    reason = f" ({route['reason']})" if route["reason"] else ""
    text = (
        f"{route['address']} leads to {route['upstream']}, which {route['state']}{reason}; "
        f"{count(route['websockets'], 'WebSocket')}"
    )
    return (text, "green" if route["state"] == "answers" else "yellow")


def _traffic(status: StatusJson) -> str:
    sockets, requests, connections = (
        status[name] for name in ("websockets", "requests", "connections")
    )
    return (
        f"{count(sockets, 'WebSocket')}, {count(requests, 'request')} under way, "
        f"{count(connections, 'connection')}"
    )


def _certificate(certificate: StatusJson) -> tuple[str, str]:
    days = certificate["days_left"]
    text = f"{', '.join(certificate['names'])} ({certificate['source']}): {count(days, 'day')} left"
    if certificate["temporary"]:
        text += "; a temporary one, until the real one is there"
    if certificate["problem"]:
        return (f"{text}. {certificate['problem']}", "red")
    return (text, "yellow" if days < SOON_DAYS else "")


def _lockout(lockout: StatusJson) -> tuple[str, str]:
    left = timedelta(seconds=lockout["seconds_left"])
    address = lockout["address"]
    return (f"{address}, for {_span(left)} more; labgate unlock {address} lets it in", "yellow")


def _memory(status: StatusJson) -> list[tuple[str, str]]:
    processes = status["processes"]
    whole = (_megabytes(status["memory_bytes"]), "")
    if len(processes) == 1:
        return [whole]
    return [whole, *(_process(process) for process in processes)]


def _process(process: StatusJson) -> tuple[str, str]:
    text = f"{process['role']} {process['pid']}: {_megabytes(process['memory_bytes'])}"
    if not process["answers"]:
        return (f"{text}, does not answer", "red")
    if process["role"] == "worker":
        text += f", {count(process['websockets'], 'WebSocket')}"
    return (text, "")


def _problem(problem: StatusJson) -> tuple[str, str]:
    at = datetime.fromisoformat(problem["time"]).astimezone()
    style = "red" if problem["level"] == "error" else "yellow"
    return (f"{at:%Y-%m-%d %H:%M:%S} {problem['text']}", style)


def _since(time: str, now: datetime) -> str:
    since = datetime.fromisoformat(time)
    return f"{since.astimezone():%Y-%m-%d %H:%M:%S} ({_span(now - since)})"


def _span(span: timedelta) -> str:
    """The two largest units of a span of time."""
    seconds = max(0, int(span.total_seconds()))
    parts = [
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2])


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.0f} MB" if octets else "not known"

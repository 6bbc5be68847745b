"""Exchanges as lines for a terminal: one a row, or one exchange whole.

Everything is made of the JSON that the admin socket sends. Heads have no control characters by
then; content and messages have, and a terminal obeys them, so every line is escaped here.

Tested by tests/inspector/test_rows.py and tests/e2e/test_inspect.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from proxy.inspector.exchange import READ_IN

_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_STYLES = {1: "green", 2: "green", 3: "cyan", 4: "bold red", 5: "bold red", 0: "bold red"}

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

Json = Mapping[str, Any]


def escaped(text: str) -> str:
    """Text in one line that a terminal only shows: no control, no change of direction."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in text.expandtabs(4))


def _escape(one: str) -> str:
    return f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\u{ord(one):04x}"


def json_line(exchange: Json) -> str:
    """One exchange as JSON in one line; what a terminal would obey is escaped as JSON does."""
    text = json.dumps(exchange, ensure_ascii=False)
    return text if text.isprintable() else _UNPRINTABLE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def row(exchange: Json) -> Text:
    """One exchange in one line."""
    started = datetime.fromtimestamp(exchange["started"]).astimezone()
    status = int(exchange["status"])
    text = Text.assemble(
        (f"{exchange['number']:>5} {started:%H:%M:%S}.{started.microsecond // 1000:03d} ", "dim"),
        (f"{status or '---':>3} ", _STYLES[status // 100]),
        escaped(f"{exchange['method']:<6} {exchange['target']}"),
        (f"  {_size(exchange['bytes_down'])} {_seconds(exchange['seconds'])}", "dim"),
    )
    if exchange["outcome"] == READ_IN:
        text.append("  read in", "dim")
    if exchange.get("route"):
        text.append(escaped(f"  route {exchange['route']}"), "dim")
    if exchange["websocket"]:
        text.append(f"  ws {exchange['messages']}", "cyan")
    if exchange["rule"]:
        word = "would refuse" if exchange["would_refuse"] else "refused"
        text.append(f"  {word}: {exchange['rule']}", "bold yellow")
    if exchange["symptom"]:
        text.append(f"  {exchange['symptom']}", "bold red")
    return text


def went_well(exchange: Json) -> bool:
    """Whether labgate would have refused it, and Jupyter had nothing against it."""
    return bool(exchange["would_refuse"]) and exchange["status"] < 400


def why(exchange: Json, *, all_of_it: bool = False) -> Iterator[Text]:
    """Why it went wrong: lines below its row; none where nothing is known.

    Args:
        exchange: Which one.
        all_of_it: Also why labgate would have refused what went well.
    """
    if exchange["rule"] and exchange["reason"] and (all_of_it or not went_well(exchange)):
        yield Text(f"      {escaped(exchange['reason'])}", "yellow")
    if exchange["explanation"]:
        for line in exchange["explanation"].splitlines():
            yield Text(f"      {escaped(line)}")


def _mends(exchange: Json) -> Iterator[Text]:
    """What checks it, and the lines for the server that was recognised, else for each."""
    if exchange["check"]:
        yield Text(f"      Check: {exchange['check']}", "dim")
    known = [one for one in exchange["mends"] if one["recognised"]]
    for one in known or exchange["mends"]:
        yield Text(f"  {one['joined'] or 'Mend'} in {one['name']}", "bold")
        yield from (Text(f"    {line}", "green") for line in one["lines"].splitlines())


def whole(exchange: Json) -> Iterator[Text]:
    """All of one exchange: both heads before and after, times, messages, content."""
    yield row({**exchange, "messages": len(exchange["messages"]), "seconds": _took(exchange)})
    yield from why(exchange, all_of_it=True)
    yield from _mends(exchange)
    received, sent_up = exchange["received"], exchange["sent_up"]
    title = "Jupyter received" if sent_up else "the client sent"
    yield from _heads(title, received, sent_up, exchange["changes_up"])
    answered, sent_down = exchange["answered"], exchange["sent_down"]
    yield from _heads("the client got", answered, sent_down, exchange["changes_down"])
    yield from _times(exchange["times"], exchange["scheme"])
    for message in exchange["messages"]:
        arrow = "↑" if message["up"] else "↓"
        code = f" {message['close_code']}" if message["close_code"] else ""
        words = f" {message['words']}" if message["words"] else ""
        yield Text(
            f"  {arrow} {_seconds(message['at']):>8} {message['kind']}{code} "
            f"{_size(message['octets'])}{escaped(words)}"
        )
        if message["text"]:
            yield from (Text(f"      {escaped(line)}", "dim") for line in _lines(message["text"]))
    for name in ("content_up", "content_down"):
        content = exchange[name]
        if content and content["text"]:
            more = "" if content["whole"] else ", the beginning"
            yield Text(f"  {name.replace('_', ' ')}, {_size(content['octets'])}{more}", "bold")
            yield from (Text(f"    {escaped(line)}") for line in _lines(content["text"]))


_TIMES = (
    ("queue", "queue"),
    ("dial", "dial"),
    ("sent_up", "sent to Jupyter at"),
    ("first_octet", "first octet at"),
    ("last_octet", "last at"),
)


def _times(times: Json, scheme: str) -> Iterator[Text]:
    parts = [
        f"{label} {_seconds(times[name])}" for name, label in _TIMES if times[name] is not None
    ]
    if times["tls"] is not None:
        parts.insert(0, f"TLS before {_seconds(times['tls'])}")
    elif scheme == "https":
        parts.insert(0, "TLS before not measured here")
    if parts:
        yield Text(f"  times: {', '.join(parts)}", "dim")


def _heads(
    title: str, before: Json | None, after: Json | None, changes: Sequence[Json]
) -> Iterator[Text]:
    """The later head, with what the rules did to the earlier one."""
    shown = after or before
    if shown is None:
        return
    yield Text(f"  {title}", "bold")
    yield Text(f"    {escaped(shown['line'])}")
    changes = _lasting(changes)
    by_after = {(change["name"].lower(), change["after"]): change for change in changes}
    for name, value in shown["fields"]:
        change = by_after.get((name.lower(), value)) if after else None
        yield _field(name, value, change)
    for change in changes:
        if change["after"] is None:
            yield _line("removed", f"{change['name']}: {change['before']}", change["rule"])


def _lasting(changes: Sequence[Json]) -> Sequence[Json]:
    """Without those that take out what others put in again, as Upgrade of a WebSocket."""
    added = {(one["name"].lower(), one["after"]) for one in changes if one["before"] is None}
    removed = {(one["name"].lower(), one["before"]) for one in changes if one["after"] is None}
    both = added & removed
    return [
        one
        for one in changes
        if (one["name"].lower(), one["after"] if one["before"] is None else one["before"])
        not in both
    ]


def _field(name: str, value: str, change: Json | None) -> Text:
    if change is None:
        return Text(escaped(f"    {name}: {value}"), "dim")
    if change["before"] is None:
        return _line("added", f"{name}: {value}", change["rule"])
    return _line("changed", f"{name}: {change['before']} => {value}", change["rule"])


def _line(kind: str, text: str, rule: str) -> Text:
    mark, style = _MARKS[kind]
    return Text.assemble((f"  {mark} {escaped(text)}", style), (f"   ({rule})", "dim"))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _took(exchange: Json) -> float | None:
    seconds: float | None = exchange["times"]["last_octet"]
    return seconds


def _size(octets: int) -> str:
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1000:.1f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "open"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"

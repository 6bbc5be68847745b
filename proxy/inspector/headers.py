"""``--show-headers``: every exchange as text, with what each rule removed, added or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from proxy.inspector.exchange import CapturedChange, CapturedHead, Exchange
from proxy.inspector.filters import Filter, is_error


class HeaderPrinter:
    """Prints exchanges when they end, and WebSockets when they open (a ring's listener).

    Args:
        matches: Which exchanges are printed.
        write: Writes several lines.
    """

    def __init__(self, matches: Filter, write: Callable[[str], None]) -> None:
        self._matches = matches
        self._write = write
        self._sockets: set[int] = set()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.number in self._sockets:
            if not exchange.open:
                self._sockets.remove(exchange.number)
            return
        if exchange.websocket and exchange.open:
            self._sockets.add(exchange.number)
        elif exchange.open:
            return
        if self._matches(exchange):
            self._write(format_exchange(exchange))


def format_exchange(exchange: Exchange) -> str:
    """Several lines: the exchange, why it failed, every change with its rule's name.

    Marks: ``-`` removed, ``+`` added, ``~`` changed; up is towards Jupyter. Of an exchange that
    went wrong the whole heads follow.
    """
    moment = datetime.fromtimestamp(exchange.started).astimezone()
    time = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
    title = f"{time} {exchange.method} {exchange.target} from {exchange.peer}"
    lines = [f"{title}: {exchange.status} {exchange.outcome}", *_why(exchange)]
    both = (*exchange.changes_up, *exchange.changes_down)
    width = max((len(change.rule) for change in both), default=0)
    lines += _side("up  ", exchange.changes_up, width)
    lines += _side("down", exchange.changes_down, width)
    if is_error(exchange):
        lines += _head("the client sent", exchange.received)
        lines += _head("Jupyter received", exchange.sent_up)
        lines += _head("Jupyter answered", exchange.answered)
        lines += _head("the client got", exchange.sent_down)
    return "\n".join(lines)


def _why(exchange: Exchange) -> Iterator[str]:
    if exchange.rule:
        word = "would refuse it" if exchange.would_refuse else "refused it"
        yield f"  why  rule {exchange.rule} {word}: {exchange.reason}"
    for line in exchange.explanation.splitlines():
        yield f"  why  {line}"


def _side(label: str, changes: Sequence[CapturedChange], width: int) -> list[str]:
    return [f"  {label} {change.rule:<{width}} {_line(change)}" for change in changes]


def _line(change: CapturedChange) -> str:
    if change.after is None:
        return f"- {change.name}: {change.before}"
    if change.before is None:
        return f"+ {change.name}: {change.after}"
    return f"~ {change.name}: {change.before} => {change.after}"


def _head(title: str, head: CapturedHead | None) -> Iterator[str]:
    if head is not None:
        yield f"  {title}:"
        yield f"    {head.line}"
        yield from (f"    {name}: {value}" for name, value in head.fields)

"""The filter above a list of exchanges: ``status:4xx path:/api route:/user/ada is:ws text``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from proxy.inspector.exchange import Exchange

Test = Callable[[Exchange], bool]

_TERM = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"|(\S+))')
_STATUS = re.compile(r"[1-5](?:\d\d|xx)", re.IGNORECASE)

KEYS = ("status", "path", "route", "method", "rule", "symptom", "peer", "is")
STATES = ("ws", "error", "refused", "open", "changed")


class FilterError(ValueError):
    """A filter has a word that means nothing."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Exchanges that pass every one of some tests."""

    tests: tuple[Test, ...]

    def __call__(self, exchange: Exchange) -> bool:
        return all(test(exchange) for test in self.tests)


def parse_filter(text: str) -> Filter:
    """Read a filter; every word must match, ``-word`` must not.

    Raises:
        FilterError: A key or a value means nothing; the message says what does.
    """
    tests: list[Test] = []
    for minus, key, quoted, bare in _TERM.findall(text):
        test = _test_of(key, quoted or bare)
        tests.append(_negated(test) if minus else test)
    return Filter(tuple(tests))


def _negated(test: Test) -> Test:
    return lambda exchange: not test(exchange)


def _test_of(key: str, value: str) -> Test:
    wanted = value.lower()
    match key:
        case "":
            return lambda exchange: wanted in _all_text(exchange)
        case "status":
            return _status(wanted)
        case "path":
            return lambda exchange: exchange.target.lower().startswith(wanted)
        case "route":
            # Names of [[routes]] end with a slash, those of a Hub do not.
            name = wanted.rstrip("/")
            return lambda exchange: (
                bool(exchange.route) and (exchange.route.lower().rstrip("/") == name)
            )
        case "method":
            return lambda exchange: exchange.method.lower() == wanted
        case "rule":
            return lambda exchange: (
                exchange.rule.lower() == wanted
                or any(change.rule.lower() == wanted for change in exchange.changes_up)
                or any(change.rule.lower() == wanted for change in exchange.changes_down)
            )
        case "symptom":
            return lambda exchange: exchange.symptom == wanted
        case "peer":
            return lambda exchange: exchange.peer.lower() == wanted
        case "is":
            return _state(wanted)
        case _:
            raise FilterError(f"there is no key {key!r}: use {', '.join(KEYS)}, or plain text")


def _status(wanted: str) -> Test:
    if not _STATUS.fullmatch(wanted):
        raise FilterError(f"status:{wanted}: write a status such as 403, or a class such as 4xx")
    if wanted.endswith("xx"):
        return lambda exchange: exchange.status // 100 == int(wanted[0])
    return lambda exchange: exchange.status == int(wanted)


def _state(wanted: str) -> Test:
    match wanted:
        case "ws":
            return lambda exchange: exchange.websocket
        case "error":
            return is_error
        case "refused":
            return lambda exchange: bool(exchange.rule)
        case "open":
            return lambda exchange: exchange.open
        case "changed":
            return lambda exchange: bool(exchange.changes_up or exchange.changes_down)
        case _:
            raise FilterError(f"is:{wanted}: use {', '.join(STATES)}")


def is_error(exchange: Exchange) -> bool:
    """Whether something went wrong: an error status, no answer, or a refusal.

    What was only observed, and Jupyter had nothing against, went well.
    """
    refused = bool(exchange.rule) and not exchange.would_refuse
    return exchange.status >= 400 or refused or (not exchange.open and not exchange.status)


def _all_text(exchange: Exchange) -> str:
    parts = [exchange.method, exchange.target, exchange.peer, exchange.outcome, exchange.reason]
    for head in (exchange.received, exchange.sent_up, exchange.answered, exchange.sent_down):
        if head is not None:
            parts += [f"{name}: {value}" for name, value in head.fields]
    return "\n".join(parts).lower()

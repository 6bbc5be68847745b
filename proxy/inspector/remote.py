"""Exchanges that another process captured: its ring's changes, sent in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from time import time
from typing import Any

from proxy.inspector.exchange import (
    CapturedChange,
    CapturedContent,
    CapturedHead,
    CapturedMessage,
    Exchange,
    Times,
)
from proxy.inspector.recorded_tunnel import MAX_MESSAGES
from proxy.inspector.ring import Ring

BATCH_SECONDS = 0.2
BATCH_OCTETS = 2 * 1024 * 1024
"""A batch is sent once its exchanges hold about this much; the last one may exceed it. As JSON they
take up to six times as much, and one line of a channel is read as a whole."""

PROCESS_ENDED = "its worker process ended"
"""The outcome of exchanges whose end nobody has seen."""


class CapturedHere:
    """Sends what a ring gets to the process that shows it.

    Args:
        ring: The ring of this process.
        send: Sends a batch of ``Exchange.details``; a WebSocket's have only its new messages.
    """

    def __init__(self, ring: Ring, send: Callable[[list[dict[str, Any]]], None]) -> None:
        self._ring = ring
        self._send = send
        self._changed: dict[int, Exchange] = {}
        self._sent_messages: dict[int, int] = {}
        """How many messages of each open WebSocket were sent: all of them may be megabytes."""
        ring.listen(self._note)

    def take_out(self, number: int) -> dict[str, Any] | None:
        """An exchange that is sent otherwise, and so not with the next batch; None without it."""
        self._changed.pop(number, None)
        exchange = self._ring.get(number)
        return None if exchange is None else exchange.details()

    def _note(self, exchange: Exchange) -> None:
        if not self._changed:
            asyncio.get_running_loop().call_later(BATCH_SECONDS, self._flush)
        self._changed[exchange.number] = exchange

    def _flush(self) -> None:
        changed, self._changed = self._changed, {}
        batch: list[dict[str, Any]] = []
        octets = 0
        for exchange in changed.values():
            news = self._news_of(exchange)
            batch.append(news.details())
            octets += news.octets
            if octets >= BATCH_OCTETS:
                self._send(batch)
                batch, octets = [], 0
        if batch:
            self._send(batch)

    def _news_of(self, exchange: Exchange) -> Exchange:
        """The exchange without the messages that were sent before."""
        if not exchange.websocket:
            return exchange
        number, messages = exchange.number, exchange.messages
        counted = exchange.messages_dropped + len(messages)
        new = min(counted - self._sent_messages.pop(number, 0), len(messages))
        if exchange.open:
            self._sent_messages[number] = counted
        return replace(
            exchange, messages=messages[len(messages) - new :], messages_dropped=counted - new
        )


class CapturedElsewhere:
    """Puts what other processes captured into one ring.

    Args:
        ring: The ring that is shown.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._open: dict[object, dict[int, int]] = {}
        """By process: the numbers of its open exchanges there, and here."""

    def take(self, process: object, batch: Sequence[dict[str, Any]]) -> list[int]:
        """Add or replace exchanges; their numbers are those of the process until then.

        Returns:
            Their numbers in the ring that is shown.
        """
        numbers = []
        known = self._open.setdefault(process, {})
        for details in batch:
            exchange = from_details(details)
            number_there = exchange.number
            if number_there in known:
                exchange.number = known[number_there]
                self._continue_messages(exchange)
                self._ring.replace(exchange)
            else:
                exchange.number = 0
                self._ring.add(exchange)
            if exchange.open:
                known[number_there] = exchange.number
            else:
                known.pop(number_there, None)
            numbers.append(exchange.number)
        return numbers

    def _continue_messages(self, exchange: Exchange) -> None:
        """Put the earlier messages before those that have come since."""
        earlier = self._ring.get(exchange.number)
        if earlier is None or not earlier.messages:
            return
        counted = exchange.messages_dropped + len(exchange.messages)
        exchange.messages = [*earlier.messages, *exchange.messages][-MAX_MESSAGES:]
        exchange.messages_dropped = counted - len(exchange.messages)

    def ended(self, process: object) -> None:
        """A process has ended, and with it the exchanges that were open there."""
        for number in self._open.pop(process, {}).values():
            exchange = self._ring.get(number)
            if exchange is None:
                continue
            exchange.open, exchange.outcome = False, PROCESS_ENDED
            exchange.times.last_octet = max(0.0, time() - exchange.started)
            self._ring.update(exchange)


def from_details(details: dict[str, Any]) -> Exchange:
    """The reverse of ``Exchange.details``, after JSON."""
    values = {one.name: details[one.name] for one in fields(Exchange)}
    for name in ("received", "sent_up", "answered", "sent_down"):
        if (head := values[name]) is not None:
            pairs = tuple((name, value) for name, value in head["fields"])
            values[name] = CapturedHead(head["line"], pairs)
    for name in ("changes_up", "changes_down"):
        values[name] = tuple(CapturedChange(**change) for change in values[name])
    for name in ("content_up", "content_down"):
        if (content := values[name]) is not None:
            values[name] = CapturedContent(**content)
    values["messages"] = [CapturedMessage(**message) for message in values["messages"]]
    values["times"] = Times(**values["times"])
    return Exchange(**values)

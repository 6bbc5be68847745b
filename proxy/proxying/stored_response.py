"""Sends a file of the cache to a client, as fast as the client reads."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from proxy.access.allow import Allow
from proxy.messages import Responder
from proxy.proxying.result import Result
from proxy.proxying.router import Route
from proxy.rules.embedding import embedded
from proxy.rules.head import Field, RequestHead

if TYPE_CHECKING:
    from proxy.cache.stored_file import FileAnswer

PIECE_BYTES = 256 * 1024
"""Passed to the client's connection at once."""


class StoredResponseOwner(Protocol):
    """Receives the status and the result of a stored response."""

    def on_status(self, status: int) -> None:
        """Its head is about to be sent."""

    def on_result(self, result: Result) -> None:
        """Everything was sent."""


class StoredResponse:
    """One response. The content is sent from the cache's memory, without a copy.

    Args:
        responder: The client's side.
        answer: What is sent.
        extra: Fields added to it.
        owner: Receives the status and the result.
    """

    def __init__(
        self,
        responder: Responder,
        answer: FileAnswer,
        extra: tuple[Field, ...],
        owner: StoredResponseOwner,
    ) -> None:
        self._status = answer.status
        self._responder = responder
        self._fields = [*answer.fields, *extra]
        self._content = answer.content
        self._owner = owner
        self._sent = 0
        self._resuming: asyncio.Handle | None = None

    def send(self) -> None:
        """Send the head, and what the client takes of the content now."""
        self._owner.on_status(self._status)
        dated = any(name == b"Date" for name, _ in self._fields)
        sized = self._status == 200
        reason = HTTPStatus(self._status).phrase.encode("ascii")
        self._responder.send_head(self._status, reason, self._fields, sized=sized, dated=dated)
        self._go_on()

    def abandon(self) -> Result:
        """The client has gone."""
        self._responder.when_writable(None)
        if self._resuming is not None:
            self._resuming.cancel()
        return Result(self._status, 0, self._sent)

    def _resume(self) -> None:
        """The client takes more."""
        self._responder.when_writable(None)
        # In the next turn: a front calls this while it sends, and asyncio's own transport must not
        # be closed by what it calls.
        self._resuming = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        content, responder = self._content, self._responder
        while self._sent < len(content):
            if responder.congested:
                responder.when_writable(self._resume)
                return
            piece = content[self._sent : self._sent + PIECE_BYTES]
            self._sent += len(piece)
            responder.send_body(piece)
            if self._sent < len(content):
                responder.flush()
        responder.when_writable(None)
        responder.end()
        self._owner.on_result(Result(self._status, 0, self._sent, outcome="cached"))


def find_stored(
    route: Route,
    request: RequestHead,
    allowed: Allow,
    responder: Responder,
    owner: StoredResponseOwner,
) -> StoredResponse | None:
    """The response from the cache; None if the request must go to Jupyter."""
    if route.cache is None or allowed.attempt is not None:
        # Jupyter has to check this password or token.
        return None
    found = route.cache.find(request)
    if found is None:
        return None
    file, selected = found
    extra = allowed.fields and embedded(allowed.fields, route.site)
    answer = file.answer(selected, request, route.site)
    route.cache.count(request, file, answer)
    return StoredResponse(responder, answer, extra, owner)
